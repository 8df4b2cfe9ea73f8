package stopping

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// The stop signal needs more than signal.Notify: after signal.Stop the runtime
// keeps its handler, which does nothing then (runtime/signal_unix.go,
// sigdisable), and the stop key would never again stop us together with our job.
// So the handler is put in once by package thread, and from then on taken away and
// put in by hand.
var stops = struct {
	mu      sync.Mutex
	begun   bool             // the handler was put in; guarded by mu
	ignored bool             // whoever started us ignores the signal; guarded by mu
	handler action           // that handler; guarded by mu
	holders int              // guarded by mu
	taker   chan<- os.Signal // who hears of it in the place of being stopped; guarded by mu
	wanted  bool             // a stop waits for the holders; guarded by mu
	whole   bool             // it is of the whole job; guarded by mu
	asked   chan struct{}    // closed when a stop waits; guarded by mu
}{asked: make(chan struct{})}

// Hold has a stop wait until release is called. asked is closed when one waits:
// who only waits itself lets go then, and tries again when it goes on. With the
// last release the process stops, and goes on there.
func Hold() (asked <-chan struct{}, release func()) {
	stops.mu.Lock()
	defer stops.mu.Unlock()
	stops.holders++
	catch()
	return stops.asked, sync.OnceFunc(func() {
		stops.mu.Lock()
		defer stops.mu.Unlock()
		stops.holders--
		settle()
	})
}

// Take has stops told to a channel, which must have room, in the place of stopping
// anybody, until giveBack is called. It is for one taker at a time. ok is false
// where whoever started us ignores them.
func Take(to chan<- os.Signal) (giveBack func(), ok bool) {
	stops.mu.Lock()
	defer stops.mu.Unlock()
	stops.taker = to
	catch()
	return sync.OnceFunc(func() {
		stops.mu.Lock()
		defer stops.mu.Unlock()
		stops.taker = nil
		settle()
	}), !stops.ignored
}

// Stop stops this process, or its whole job, as the stop key does, once nobody
// holds. As any program, it is not stopped where nobody could continue it.
func Stop(wholeJob bool) {
	stops.mu.Lock()
	defer stops.mu.Unlock()
	want(wholeJob)
	settle()
}

// catch has the handler in. stops.mu is held.
func catch() {
	switch {
	case stops.ignored:
	case stops.begun:
		_, _ = sigaction(unix.SIGTSTP, &stops.handler) // there is no way to fail
	default:
		const ignore = 1
		if was, err := sigaction(unix.SIGTSTP, nil); err != nil || was.handler == ignore {
			stops.ignored = true
			return
		}
		stops.begun = true
		c := make(chan os.Signal, 1)
		thread.Signals(c, unix.SIGTSTP)
		stops.handler, _ = sigaction(unix.SIGTSTP, nil)
		go func() {
			for sig := range c {
				heard(sig)
			}
		}()
	}
}

// heard is told of a signal that the handler caught.
func heard(sig os.Signal) {
	stops.mu.Lock()
	defer stops.mu.Unlock()
	if stops.taker != nil {
		select {
		case stops.taker <- sig:
		default: // it is told of one already
		}
		return
	}
	want(false) // the others of the job had one of their own
	settle()
}

// want notes a stop. stops.mu is held.
func want(wholeJob bool) {
	stops.whole = stops.whole || wholeJob
	if !stops.wanted {
		stops.wanted = true
		close(stops.asked)
	}
}

// settle takes the handler out if nobody needs it, and stops if that is wanted.
// stops.mu is held.
func settle() {
	if stops.holders > 0 || stops.taker != nil {
		return
	}
	if stops.begun {
		_, _ = sigaction(unix.SIGTSTP, &action{}) // there is no way to fail
	}
	if !stops.wanted {
		return
	}
	pid := unix.Getpid()
	if stops.whole {
		pid = 0
	}
	stops.wanted, stops.whole, stops.asked = false, false, make(chan struct{})
	_ = unix.Kill(pid, unix.SIGTSTP) // the handler is out: it does what it does anywhere
}
