// Command inside is the first process of a guest: it loads the modules that the
// disk needs, goes to the root file system, lays out what a distribution's init
// would (devices with the modes that udev gives them, version 2 of control
// groups, a session of an ordinary user), has a child of its own run the jobs,
// and turns the machine off.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/test/guest/job"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "jobs" {
		if err := runJobs(); err != nil {
			fmt.Fprintln(os.Stderr, "inside:", err)
			os.Exit(1)
		}
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "inside: to be started as the first process of a guest")
		os.Exit(2)
	}
	if err := first(); err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) // the harness has a deadline
	for {
		time.Sleep(time.Hour)
	}
}

// first is the life of process 1. The jobs run in a child, so that whatever is
// left without a parent can be reaped here and nobody else's child is.
func first() error {
	text, err := os.ReadFile(job.ListFile)
	if err != nil {
		return err
	}
	var l job.List
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("read %s: %w", job.ListFile, err)
	}
	if err := boot(l); err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", "jobs") //nolint:noctx // it lives as long as the machine
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		_, _ = w.Write(text) // a child that is gone is reaped below
		_ = w.Close()
	}()
	for {
		var status unix.WaitStatus
		switch pid, err := unix.Wait4(-1, &status, 0, nil); {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case pid == cmd.Process.Pid:
			return nil
		}
	}
}
