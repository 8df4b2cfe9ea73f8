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
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/microvm/qemu"
)

// launcherVariable names the folder of images to a copy of the test binary that is
// a launcher.
const launcherVariable = "AMBIT_MICROVM_TEST_LAUNCHER"

// askingVariable has that launcher's program touch a path of the host.
const askingVariable = "AMBIT_MICROVM_TEST_ASKING"

// launch runs a program that does not end, and says which process QEMU's jail is: when
// the program waits at its threshold, or for an answer.
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
	touches := os.Getenv(askingVariable)
	p, err := enforce.Compile(enforce.Input{Session: "s-launcher", Tier: enforce.TierEmulated, AdHoc: true, Home: enforce.HomeNone, Ask: touches != "", Base: enforce.Base{Dirs: []enforce.Object{{Path: "/usr", Dir: true}},
		Links: []enforce.Link{{Path: "/bin", Target: "usr/bin"}, {Path: "/lib", Target: "usr/lib"}, {Path: "/lib64", Target: "usr/lib64"}}},
		Program: enforce.Program{Path: "/bin/sh", Argv: []string{"sh", "-c", "read x < " + touches}, Dir: "/"}}, facts())
	if err != nil {
		return err
	}
	bin := cmp.Or(filepath.Dir(os.Getenv("AMBIT_BIN")), ".")
	if bin == "." {
		bin = filepath.Join(filepath.Dir(store), "bin")
	}
	asked := make(chan struct{})
	tr := with(img, program, bin)
	tr.Asker = &person{answer: func(context.Context, enforce.Touch) enforce.Answer {
		close(asked)
		select {}
	}}
	s, err := tr.Start(context.Background(), p, enforce.Stdio{In: null, Out: null, Err: null})
	if err != nil {
		return err
	}
	if touches != "" {
		if err := s.Release(); err != nil {
			return err
		}
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
	for name, touches := range map[string]string{"at the threshold": "", "while a question waits": concealed(t) + "/file"} {
		t.Run(name, func(t *testing.T) { launcherKilled(t, tr, touches) })
	}
}

func launcherKilled(t *testing.T, tr microvm.Tier, touches string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), launcherVariable+"="+filepath.Dir(tr.Image.Dir), askingVariable+"="+touches)
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
