package microvm_test

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/microvm/qemu"
)

// launcherVariable names the folder of images to a copy of the test binary that is
// a launcher.
const launcherVariable = "AMBIT_MICROVM_TEST_LAUNCHER"

// askingVariable has that launcher's program touch a path of the host.
const askingVariable = "AMBIT_MICROVM_TEST_ASKING"

// changingVariable has its program change a folder of the host for ever.
const changingVariable = "AMBIT_MICROVM_TEST_CHANGING"

// digits is a script that puts a whole file of one digit in the place of another one.
const digits = `cd /tmp; while :; do for i in 1 2 3 4 5 6 7; do head -c 3000000 /dev/zero | tr '\\0' $i > D/new; mv D/new D/big; done; done`

// launch runs a program that does not end, and says which process QEMU's jail is: when
// the program waits at its threshold, or for an answer, or changes a folder.
func launch(store string) error {
	img, err := image.Default(store)
	if err != nil {
		return err
	}
	program, err := qemu.Find()
	if err != nil {
		return err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	touches, changed := os.Getenv(askingVariable), os.Getenv(changingVariable)
	script := "read x < " + touches
	if changed != "" {
		script = strings.ReplaceAll(digits, "D", changed)
	}
	p, err := enforce.Compile(enforce.Input{Session: "s-launcher", Tier: enforce.TierEmulated, AdHoc: true, Home: enforce.HomeNone, Ask: touches+changed != "", Base: enforce.Base{Dirs: []enforce.Object{{Path: "/usr", Dir: true}},
		Links: []enforce.Link{{Path: "/bin", Target: "usr/bin"}, {Path: "/lib", Target: "usr/lib"}, {Path: "/lib64", Target: "usr/lib64"}}},
		Program: enforce.Program{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}}}, facts())
	if err != nil {
		return err
	}
	bin := cmp.Or(filepath.Dir(os.Getenv("AMBIT_BIN")), ".")
	if bin == "." {
		bin = filepath.Join(filepath.Dir(store), "bin")
	}
	asked := make(chan struct{})
	tr := with(img, program, bin)
	tr.Asker = &enforcetest.Person{Answer: func(ctx context.Context, touch enforce.Touch) enforce.Answer {
		if changed != "" {
			return enforcetest.AsWanted(ctx, touch)
		}
		close(asked)
		select {}
	}}
	s, err := tr.Start(context.Background(), p, enforce.Stdio{In: null, Out: null, Err: null})
	if err != nil {
		return err
	}
	if touches+changed != "" {
		if err := s.Release(); err != nil {
			return err
		}
	}
	if touches != "" {
		<-asked
	}
	fmt.Println("jail", s.PID())
	select {}
}

// TestLauncherKilled: nothing outlives a launcher that was killed, also where its
// program waits for an answer.
func TestLauncherKilled(t *testing.T) {
	tr := tier(t)
	run(t, tr, input(t, "true"), "") // there is a template
	for name, touches := range map[string]string{"at the threshold": "", "while a question waits": enforcetest.Concealed(t) + "/file"} {
		t.Run(name, func(t *testing.T) { launcherKilled(t, tr, askingVariable+"="+touches, func() {}) })
	}
}

// TestLauncherKilledBringing: a launcher that is killed while files come back leaves each
// of them as it was or as it became, and never a part.
func TestLauncherKilledBringing(t *testing.T) {
	tr, dir := tier(t), enforcetest.Concealed(t)
	for range 3 {
		write(t, dir, "big", "")
		_ = os.Remove(dir + "/new") // alone it would be another question
		launcherKilled(t, tr, changingVariable+"="+dir, func() {
			eventually(t, "one came back and the next one comes", func() bool {
				names, err := os.ReadDir(dir)
				fi, e := os.Stat(dir + "/big")
				return err == nil && e == nil && fi.Size() > 0 && slices.ContainsFunc(names, func(d os.DirEntry) bool { return strings.HasPrefix(d.Name(), ".ambit-new-") })
			})
		})
		text, half := enforcetest.Content(t, dir+"/big"), false
		if len(text) != 3_000_000 || strings.Trim(text, text[:1]) != "" {
			t.Errorf("the host has %d bytes, from %q to %q", len(text), text[:1], text[len(text)-1:])
		}
		names, err := filepath.Glob(dir + "/.ambit-new-*")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names { // beside it, under a name of its own
			half = true
			if err := os.Remove(name); err != nil {
				t.Error(err)
			}
		}
		t.Log("a part lay aside:", half)
	}
}

// launcherKilled kills a launcher with a variable set, when it has said that its jail is
// there, and at that time has returned.
func launcherKilled(t *testing.T, tr microvm.Tier, variable string, at func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), launcherVariable+"="+filepath.Dir(tr.Image.Dir), variable)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(line), "jail "))
	if err != nil {
		t.Fatalf("the launcher says %q", line)
	}
	pids := append(children(t, pid), pid)
	if len(pids) < 2 {
		t.Fatalf("processes %v", pids)
	}
	at()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	for _, pid := range pids {
		eventually(t, fmt.Sprintf("process %d is gone", pid), func() bool {
			state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || strings.Contains(string(state), ") Z ")
		})
	}
}
