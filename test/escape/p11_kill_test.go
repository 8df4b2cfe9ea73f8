package escape_test

import (
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP11Kill(t *testing.T) {
	attack{
		ID: "P11", Title: "signal processes outside",
		Reference: "kill(2) by the same user; Landlock before version 6 has no scope for signals",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.victim(t) },
		Harm:      dead,
		Tries: []try{
			{Name: "see", Harmless: true, Do: func(f *field) error { return unix.Kill(f.number("pid"), 0) }, Want: refused(unix.ESRCH, unix.EPERM)},
			{Name: "kill", Do: func(f *field) error { return unix.Kill(f.number("pid"), unix.SIGKILL) }, Want: refused(unix.ESRCH, unix.EPERM)},
			{Name: "its group", NoControl: "it is the group of this test", Do: func(f *field) error { return unix.Kill(-f.number("pid"), unix.SIGKILL) },
				Want: refused(unix.ESRCH, unix.EPERM)},
			{Name: "everybody", NoControl: "it would end this session", Do: func(*field) error {
				signal.Ignore(unix.SIGUSR1)
				return unix.Kill(-1, unix.SIGUSR1)
			}, Want: refused(unix.ESRCH, unix.EPERM)},
			{Name: "the own group", NoControl: "it is the group of this test", Do: func(*field) error {
				// The launcher and this test are in the same process group on the host.
				signal.Ignore(unix.SIGUSR2)
				if err := unix.Kill(0, unix.SIGUSR2); err != nil {
					return err
				}
				return unix.ESRCH
			}, Want: refused(unix.ESRCH, unix.EPERM)},
			{Name: "process 1 of the sandbox", NoControl: "it is another one outside", Do: func(*field) error {
				if err := unix.Kill(1, unix.SIGKILL); err != nil {
					return err
				}
				if err := unix.Kill(1, unix.SIGSTOP); err != nil {
					return err
				}
				return exists("/proc/1")
			}, Want: allowed("a process 1 takes no such signal from inside (pid_namespaces(7))")},
			{Name: "the launcher by F_SETOWN", Harmless: true, Do: func(f *field) error {
				p := make([]int, 2)
				if err := unix.Pipe(p); err != nil {
					return err
				}
				_, err := unix.FcntlInt(uintptr(p[0]), unix.F_SETOWN, f.number("pid"))
				return err
			}, Want: refused(unix.ESRCH, unix.EPERM)},
			{Name: "the terminal's group", NoControl: "it is the group of this test", Do: func(*field) error {
				tty, err := os.Open("/dev/tty")
				if err != nil {
					return unix.ENXIO
				}
				_, err = unix.IoctlGetInt(int(tty.Fd()), unix.TIOCSTI)
				return err
			}, Want: refused(unix.ENXIO, unix.EPERM)},
		},
	}.run(t)
}

func TestP11Priority(t *testing.T) {
	// A group of its own, so that the control slows nobody down, nor fails for
	// who is in the test's. The rule looks at no more than that it is the own.
	alone := func() { _ = unix.Setpgid(0, 0) } // one that leads a session has its own
	attack{
		ID: "P11", Title: "slow processes outside down",
		Reference: "setpriority(2), ioprio_set(2): group 0 is the own, and the launcher is in it",
		Tiers:     process,
		Tries: []try{
			{Name: "of processors", Harmless: true, Do: func(*field) error {
				alone()
				raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less what it is
				if err != nil {
					return err
				}
				return unix.Setpriority(unix.PRIO_PGRP, 0, 20-raw)
			}, Want: refused(unix.EPERM)},
			{Name: "of disks", Harmless: true, Do: func(*field) error {
				alone()
				const group, bestEffort, middle = 2, 2 << 13, 4
				if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, group, 0, bestEffort|middle); errno != 0 {
					return errno
				}
				return nil
			}, Want: refused(unix.EPERM)},
			{Name: "its own", NoControl: "it is slow then", Do: func(*field) error { return unix.Setpriority(unix.PRIO_PROCESS, 0, 19) },
				Want: allowed("a program may have less for itself")},
		},
	}.run(t)
}
