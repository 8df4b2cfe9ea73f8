package terminal

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// signals are those that reach us while a question is shown.
type signals struct {
	ask       chan os.Signal // end, stop, another size
	continued chan os.Signal
	stops     bool // SIGTSTP was caught
}

// catch begins to receive signals.
//
// The terminal's stop signal needs more than signal.Notify: after signal.Stop
// the runtime keeps its handler, which does nothing then (runtime/signal_unix.go,
// sigdisable), and the stop key would never again stop us together with our
// job. So the handler is taken away by hand, and put in by hand the next time,
// because the runtime thinks that it is there.
func catch() *signals {
	s := &signals{ask: make(chan os.Signal, 8), continued: make(chan os.Signal, 1)}
	signal.Notify(s.continued, syscall.SIGCONT)
	signal.Notify(s.ask, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGWINCH)
	handler, err := sigaction(unix.SIGTERM, nil)
	if err != nil {
		return s
	}
	const ignored = 1
	if was, err := sigaction(unix.SIGTSTP, nil); err == nil && was.handler != ignored {
		signal.Notify(s.ask, syscall.SIGTSTP)
		_, err = sigaction(unix.SIGTSTP, &handler)
		s.stops = err == nil
	}
	return s
}

// release receives no more signals of the kinds that end or stop us.
func (s *signals) release() {
	signal.Stop(s.ask)
	if s.stops {
		_, _ = sigaction(unix.SIGTSTP, &action{}) // there is no way to fail
		s.stops = false
	}
}

// stopSelf stops this process, or its whole job, as the terminal's stop key
// does, and returns when it goes on. As with any program, it is not stopped
// where nobody could continue it.
func (s *signals) stopSelf(wholeJob bool) {
	s.release()
	pid := unix.Getpid()
	if wholeJob {
		pid = 0
	}
	_ = unix.Kill(pid, unix.SIGTSTP)
	select {
	case <-s.continued:
	case <-time.After(200 * time.Millisecond):
	}
}

// close receives nothing any more.
func (s *signals) close() {
	s.release()
	signal.Stop(s.continued)
}
