package main

import (
	"context"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/thread"
)

// signals passes signals on to the program. What the terminal sends reaches
// the program without us: it is in the same process group.
type signals struct {
	c      chan os.Signal
	caught chan struct{} // closed once signals are caught
	tty    int           // the foreground process group at the start, 0 without a terminal
	done   chan struct{}
	apart  bool   // the program is in no process group of this kernel's
	toEnd  func() // called before a signal is passed on that may end it
}

func newSignals() *signals {
	return &signals{c: make(chan os.Signal, 16), caught: make(chan struct{}), done: make(chan struct{})}
}

// passed are the signals that are passed on.
var passed = []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM}

// catch begins to catch signals, not to ignore them, so that the program starts
// with the default dispositions. What comes from here on, before it is let go, is
// kept for it; what came before has ended ambit. It is called once. Who asks at the
// terminal catches some of them too while a question is shown, by package signal.
func (s *signals) catch(shared bool) {
	defer close(s.caught)
	s.tty = foreground()
	if !shared {
		thread.Signals(s.c, passed...)
		return
	}
	for _, sig := range passed {
		signal.Notify(s.c, sig)
	}
}

// wait returns when signals are caught.
func (s *signals) wait() { <-s.caught }

// pass passes signals on to the program.
func (s *signals) pass(inside enforce.Session) {
	for sig := range s.c {
		if !s.apart && (sig == syscall.SIGINT || sig == syscall.SIGQUIT) && foreground() != 0 {
			continue // from the keyboard; the program has it already
		}
		if sig == syscall.SIGTERM || sig == syscall.SIGHUP || sig == syscall.SIGINT || sig == syscall.SIGQUIT {
			s.toEnd()
		}
		_ = inside.Signal(sig) // it may have ended
		if sig == syscall.SIGTERM || sig == syscall.SIGHUP {
			go endAfterGrace(inside, s.done)
		}
	}
}

// stop gives the terminal back to the process group that had it: a shell inside
// may have taken it and been killed. Signals are caught on, by nobody: there is no
// program any more, and ambit is about to end with its status. Giving them up
// would have to wait until none is on its way.
func (s *signals) stop() {
	s.wait()
	close(s.done)
	if s.tty > 0 && s.tty != foregroundOf(0) {
		signal.Ignore(syscall.SIGTTOU)
		_ = unix.IoctlSetPointerInt(0, unix.TIOCSPGRP, s.tty) // the terminal may be gone
	}
}

// foreground answers our process group if it is the terminal's foreground one.
func foreground() int {
	if pgrp := unix.Getpgrp(); foregroundOf(0) == pgrp {
		return pgrp
	}
	return 0
}

// terminal is the path of the terminal on a standard descriptor, "" without one.
func (a *app) terminal() string {
	for _, f := range []*os.File{a.in, a.out, a.err} {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
			continue
		}
		path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(f.Fd())))
		if err == nil && under(path, "/dev/pts") {
			return path
		}
	}
	return ""
}

func foregroundOf(fd int) int {
	pgrp, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil {
		return 0
	}
	return pgrp
}

// untilInterrupt returns a context that ends when the person has enough.
func untilInterrupt(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}
