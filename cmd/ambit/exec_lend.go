package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A loan is what of our standard descriptors a program gets: those that are pipes
// and sockets as they are, a pipe in the place of a file, and one terminal in the
// place of ours.
type loan struct {
	app       *app
	terminals [3]bool
	hand      []*os.File              // to be handed over
	ends      []*os.File              // of those, what was made for it
	master    atomic.Pointer[os.File] // the other end of the terminal
	was       *term.State
	outs      []chan struct{}           // closed when all was passed on
	pipes     []*os.File                // that are read for it
	began     atomic.Bool               // it is there
	until     atomic.Pointer[time.Time] // when nothing is passed on any more; nil while it runs
}

// lend looks at the standard descriptors.
//
// A terminal of ours is not handed over where the program is to be worked with:
// what controls it is not in the session, and two sessions have no terminal in
// common.
func (a *app) lend() (*loan, error) {
	l := &loan{app: a}
	interactive := term.IsTerminal(int(a.in.Fd()))
	for i, f := range []*os.File{a.in, a.out, a.err} {
		switch fi, err := f.Stat(); {
		case err != nil:
			return nil, fmt.Errorf("standard descriptor %d: %w", i, err)
		case interactive && term.IsTerminal(int(f.Fd())):
			l.terminals[i] = true
		case fi.Mode().IsRegular():
			if err := l.pump(i, f); err != nil {
				return nil, err
			}
		default:
			l.hand = append(l.hand, f)
		}
	}
	return l, nil
}

// pump puts a pipe in the place of a file.
func (l *loan) pump(i int, f *os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if i == 0 {
		l.hand, l.ends = append(l.hand, r), append(l.ends, r)
		go func() {
			_, _ = io.Copy(w, f) // who does not read it to its end has had enough
			_ = w.Close()
		}()
		return nil
	}
	l.hand, l.ends, l.pipes = append(l.hand, w), append(l.ends, w), append(l.pipes, r)
	l.pass(f, r)
	return nil
}

// pass passes on what comes, until drain.
func (l *loan) pass(to io.Writer, from *os.File) {
	done := make(chan struct{})
	l.outs = append(l.outs, done)
	go func() {
		defer close(done)
		for buf := make([]byte, 64<<10); ; {
			n, err := from.Read(buf)
			if _, e := to.Write(buf[:n]); e != nil || err != nil {
				return // a terminal ends with an error
			}
			if until := l.until.Load(); until != nil {
				_ = from.SetReadDeadline(soonest(*until, time.Now().Add(quiet)))
			}
		}
	}()
}

func soonest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// handed closes what has been handed over.
func (l *loan) handed() { closeAll(l.ends) }

// on begins to pass on between our terminal and the program's.
func (l *loan) on(master *os.File) {
	if err := unix.SetNonblock(int(master.Fd()), true); err == nil { // so that reading can end
		if fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			_ = unix.SetNonblock(fd, true)
			_ = master.Close() // there is a copy
			master = os.NewFile(uintptr(fd), "terminal")
		}
	}
	l.master.Store(master)
	l.resize()
	if state, err := term.MakeRaw(int(l.app.in.Fd())); err == nil {
		l.was = state
	}
	out := l.app.out
	if !l.terminals[1] {
		out = l.app.err
	}
	l.pipes = append(l.pipes, master)
	l.pass(out, master)
	go func() { _, _ = io.Copy(master, l.app.in) }() // it ends with us
}

// resize gives the program's terminal the size of ours.
func (l *loan) resize() {
	master := l.master.Load()
	if master == nil {
		return
	}
	if size, err := unix.IoctlGetWinsize(int(l.app.in.Fd()), unix.TIOCGWINSZ); err == nil {
		if c, err := master.SyscallConn(); err == nil {
			_ = c.Control(func(fd uintptr) { _ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) }) // it may have ended
		}
	}
}

// catchSignals begins to catch what is passed on.
func catchSignals() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH)
	return c
}

// signals passes signals on. What comes before the program begins waits for it; a
// second one, or some seconds, and nobody waits any more.
func (l *loan) signals(w controlConn, c <-chan os.Signal) (stop func()) {
	done := make(chan struct{})
	go func() {
		early := false
		for {
			select {
			case <-done:
				return
			case sig := <-c:
				if sig != syscall.SIGWINCH && !l.began.Load() {
					if early {
						_ = w.c.Close() // who waits there hears of it
						return
					}
					early = true
					time.AfterFunc(entryGrace, func() {
						if !l.began.Load() {
							_ = w.c.Close() // as above
						}
					})
				}
				l.signal(w, sig, done)
			}
		}
	}()
	return func() { close(done) } // signals are caught on, by nobody: ambit is about to end
}

func (l *loan) signal(w controlConn, sig os.Signal, done <-chan struct{}) {
	n, ok := sig.(syscall.Signal)
	switch {
	case !ok:
	case n == syscall.SIGWINCH:
		l.resize()
	default:
		_ = w.send(sign{int(n)}) // it may have ended
		if n == syscall.SIGTERM || n == syscall.SIGHUP {
			go func() {
				select {
				case <-done:
				case <-time.After(entryGrace):
					_ = w.send(sign{int(syscall.SIGKILL)}) // as above
				}
			}()
		}
	}
}

// entryGrace is how long a program that was told to end may take, as with ambit run.
const entryGrace = 5 * time.Second

// quiet is how long nothing more comes, when the program has ended, until nothing
// is waited for: what it left running may keep its end open.
const quiet = 100 * time.Millisecond

// drainMost is how long what is left is passed on at most.
const drainMost = 10 * time.Second

// drain passes on what is left, when the program has ended.
func (l *loan) drain() {
	until := time.Now().Add(drainMost)
	l.until.Store(&until)
	for _, f := range l.pipes {
		_ = f.SetReadDeadline(time.Now().Add(quiet)) // one that cannot have a deadline has nothing to wait for
	}
	for _, done := range l.outs {
		<-done
	}
}

// restore gives the terminal back as it was.
func (l *loan) restore() {
	if l.was != nil {
		_ = term.Restore(int(l.app.in.Fd()), l.was) // the terminal may be gone
	}
}
