package terminal

import (
	"os"
	"os/signal"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/stopping"
)

// signals are those that reach us while a question is shown.
type signals struct {
	ask       chan os.Signal // end, stop, another size
	continued chan os.Signal
	giveBack  func() // of the stop signal
}

// catch begins to receive signals.
func catch() *signals {
	s := &signals{ask: make(chan os.Signal, 8), continued: make(chan os.Signal, 1)}
	signal.Notify(s.continued, syscall.SIGCONT)
	signal.Notify(s.ask, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGWINCH)
	s.giveBack, _ = stopping.Take(s.ask)
	return s
}

// release receives no more signals of the kinds that end or stop us.
func (s *signals) release() {
	signal.Stop(s.ask)
	s.giveBack()
}

// stopSelf stops this process, or its whole job, as the terminal's stop key
// does, and returns when it goes on. As with any program, it is not stopped
// where nobody could continue it.
func (s *signals) stopSelf(wholeJob bool) {
	s.release()
	stopping.Stop(wholeJob)
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
