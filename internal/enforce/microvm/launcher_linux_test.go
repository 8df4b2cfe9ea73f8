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
	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/microvm/qemu"
)

// launcherVariable names the folder of images to a copy of the test binary that is
// a launcher.
const launcherVariable = "AMBIT_MICROVM_TEST_LAUNCHER"

// launch runs a program that does not end, and says which process QEMU's jail is.
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
	p, err := enforce.Compile(enforce.Input{Session: "s-launcher", Tier: enforce.TierEmulated, AdHoc: true, Home: enforce.HomeNone,
		Program: enforce.Program{Path: "/bin/sh", Argv: []string{"sh"}, Dir: "/"}}, facts())
	if err != nil {
		return err
	}
	bin := cmp.Or(filepath.Dir(os.Getenv("AMBIT_BIN")), ".")
	if bin == "." {
		bin = filepath.Join(filepath.Dir(store), "bin")
	}
	s, err := with(img, program, bin).Start(context.Background(), p, enforce.Stdio{In: null, Out: null, Err: null})
	if err != nil {
		return err
	}
	fmt.Println("jail", s.PID()) // the program waits at its threshold
	select {}
}

// TestLauncherKilled: nothing outlives a launcher that was killed.
func TestLauncherKilled(t *testing.T) {
	tr := tier(t)
	run(t, tr, input(t, "true"), "") // there is a template
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), launcherVariable+"="+filepath.Dir(tr.Image.Dir))
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
