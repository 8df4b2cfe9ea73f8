package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/approval/terminal"
	"ambit.dev/ambit/internal/enforce"
)

// terminalPath is the terminal that controls this process, whatever its
// standard descriptors are.
const terminalPath = "/dev/tty"

// resolveAsk says what --ask auto means here: on a terminal, where the kernel can
// ask at all, the person at it is asked; elsewhere whom --ask-url names.
func (a *app) resolveAsk(f *runFlags) error {
	switch f.ask {
	case askAuto:
		f.ask, f.askAuto = askNone, true
		if term.IsTerminal(int(a.in.Fd())) && term.IsTerminal(int(a.err.Fd())) && foreground() != 0 &&
			(f.askBy == askByNotification || trapOpens()) {
			f.ask = askTTY
		} else if f.askURL != "" {
			f.ask = askQueue
		}
	case askTTY:
		tty, err := os.OpenFile(terminalPath, os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("--ask %s: there is no terminal to ask on: %w", askTTY, err)
		}
		_ = tty.Close() // nothing was written
	}
	return nil
}

// fronts are the ways to ask that the flags name, besides the queue.
func (a *app) fronts(f *runFlags, on *stage) (all []approval.Front) {
	if f.ask == askTTY {
		kind := os.Getenv("TERM")
		all = append(all, terminal.New(terminal.Config{
			Path: terminalPath, Pause: on.pause, Redraw: on.redraw, Interrupt: on.interrupt,
			Lines: kind == "" || kind == "dumb", Plain: os.Getenv("NO_COLOR") != "", Now: a.now,
		}))
	}
	if f.webhook != nil {
		all = append(all, f.webhook)
	}
	return all
}

// A stage is the terminal as the program and ambit itself share it: what a
// question has to quieten, and to wake again.
type stage struct {
	told *teller // the lines of denials

	mu     sync.Mutex
	inside enforce.Session // guarded by mu; nil before the program has begun
}

func (o *stage) begun(inside enforce.Session) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inside = inside
}

func (o *stage) session() enforce.Session {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.inside
}

// pause stops what writes to the terminal.
func (o *stage) pause() (resume func(), err error) {
	o.told.hold()
	inside := o.session()
	if inside == nil {
		return o.told.release, nil
	}
	goOn, err := inside.Pause()
	if err != nil {
		o.told.release()
		return nil, err
	}
	return func() {
		goOn()
		o.told.release()
	}, nil
}

// redraw tells the program, and the job in the foreground, that the size of the
// terminal may have changed.
func (o *stage) redraw() {
	if inside := o.session(); inside != nil {
		_ = inside.Signal(syscall.SIGWINCH) // it may have ended
	}
	_ = toForeground(syscall.SIGWINCH)
}

// interrupt does what the interrupt key does.
func (o *stage) interrupt() {
	if err := toForeground(syscall.SIGINT); err == nil {
		return
	}
	if inside := o.session(); inside != nil {
		_ = inside.Signal(syscall.SIGINT) // it may have ended
	}
}

// unlessEnded asks before the program has begun: there is nobody yet to pass the
// signals on to that end a run, and a question must not swallow them.
func unlessEnded(ctx context.Context, ask func(context.Context) error) error {
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(ends)
	ctx, end := context.WithCancel(ctx)
	defer end()
	done := make(chan error, 1)
	go func() { done <- ask(ctx) }()
	select {
	case err := <-done:
		return err
	case sig := <-ends:
		end()
		number, _ := sig.(syscall.Signal)
		return errors.Join(<-done, &exitError{128 + int(number), fmt.Errorf("ended by %s before the program began", sig)})
	}
}

// toForeground sends a signal to the job that has the terminal.
func toForeground(sig syscall.Signal) error {
	tty, err := os.OpenFile(terminalPath, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	group := foregroundOf(int(tty.Fd()))
	if group <= 1 {
		return errors.New("no job has the terminal")
	}
	return unix.Kill(-group, sig)
}
