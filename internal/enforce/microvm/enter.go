package microvm

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

var _ enforce.Enterer = (*session)(nil)

// guests are the programs that have entered a session.
type guests struct {
	left sync.WaitGroup // of all that they have here

	mu   sync.Mutex
	last int                   // guarded by mu; the number of the newest
	all  map[*entered]struct{} // guarded by mu
	over bool                  // guarded by mu; nobody enters any more
}

// entered is a program that was started in the machine beside the first one.
type entered struct {
	s      *session
	number int
	stdio  *stdio
	pumps  sync.WaitGroup // of what it writes
	ended  chan struct{}
	answer channel.Answer // valid when ended is closed
	lost   error          // the same
}

// Enter has the guest start a program beside the first one.
//
// Security: in the guest it is a child of what the first one is a child of, with
// its view, its bounds and no right more. The launcher knows that from the guest
// alone: what holds against a guest that lies is the machine.
func (s *session) Enter(c enforce.Command) (enforce.Entered, error) {
	return s.start(c, false)
}

// EnterOwn has the guest start its own program in the same way: it has it at hand.
func (s *session) EnterOwn(c enforce.Command) (enforce.Entered, error) {
	return s.start(c, true)
}

func (s *session) start(c enforce.Command, own bool) (enforce.Entered, error) {
	e, err := s.enter(c, own)
	if err != nil {
		return nil, fmt.Errorf("start a program in the session: %w", err)
	}
	return e, nil
}

func (s *session) enter(c enforce.Command, own bool) (_ *entered, err error) {
	if !s.released {
		return nil, errors.New("it has not begun")
	}
	if err := noFiles(c.Files); err != nil {
		return nil, err
	}
	d, err := newStdio(enforce.Stdio{In: c.Files[0], Out: c.Files[1], Err: c.Files[2]})
	if err != nil {
		return nil, err
	}
	d.terminal = d.terminal && c.Terminal
	e := &entered{s: s, stdio: d, ended: make(chan struct{})}
	if err := s.guests.add(e, s.ended); err != nil {
		d.stop()
		d.close()
		return nil, err
	}
	if err := e.begin(c, own); err != nil {
		e.lost = err
		close(e.ended)
		e.leave(true)
		return nil, err
	}
	return e, nil
}

// add numbers a program, unless the session is over.
func (g *guests) add(e *entered, ended <-chan struct{}) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-ended:
		g.over = true
	default:
	}
	if g.over {
		return errors.New("it has ended")
	}
	if g.all == nil {
		g.all = map[*entered]struct{}{}
	}
	g.last++
	e.number, g.all[e] = g.last, struct{}{}
	g.left.Add(1)
	return nil
}

// end ends all passing of bytes; the machine ends with the programs.
func (g *guests) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	for e := range g.all {
		e.stdio.stop()
	}
}

// noFiles refuses files and directories of the host: what a session reads of it was
// granted, and is not handed over.
func noFiles(files [3]*os.File) error {
	for i, f := range files {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			return fmt.Errorf("standard descriptor %d: %w", i, err)
		}
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFCHR, unix.S_IFIFO, unix.S_IFSOCK:
		default:
			return fmt.Errorf("standard descriptor %d is a file of the host; hand over a pipe", i)
		}
	}
	return nil
}

// begin has the guest start it.
func (e *entered) begin(c enforce.Command, own bool) error {
	s := e.s
	r := &channel.Enter{Own: own, Dir: c.Dir, Terminal: e.stdio.terminal}
	for _, a := range c.Args {
		r.Argv = append(r.Argv, []byte(a))
	}
	for _, v := range c.Env {
		r.Env = append(r.Env, []byte(v))
	}
	r.Rows, r.Columns = e.stdio.size()
	if _, err := s.channel.Ask(channel.Request{Op: channel.OpEnter, Program: e.number, Enter: r}, soon(answerIn)); err != nil {
		return err
	}
	if err := s.connect(e.number, e.stdio, &e.pumps); err != nil {
		return err
	}
	st, err := s.channel.Stream(channel.Request{Op: channel.OpGo, Program: e.number})
	if err != nil {
		return err
	}
	e.stdio.raw()
	e.stdio.watched(func(rows, columns uint16) {
		_, _ = s.channel.Ask(channel.Request{Op: channel.OpSize, Program: e.number, Rows: rows, Columns: columns}, soon(answerIn)) // it looks odd then
	})
	go func() {
		defer st.Close() //nolint:errcheck // it was answered
		e.answer, e.lost = st.Answer(time.Time{})
		close(e.ended)
		e.leave(false)
	}()
	return nil
}

// leave takes apart what is here, when all was passed that the program wrote. What
// it left running may write on, until the session ends.
func (e *entered) leave(atOnce bool) {
	if atOnce || e.lost != nil {
		e.stdio.stop()
	}
	e.pumps.Wait()
	e.stdio.stop()
	e.stdio.close()
	g := &e.s.guests
	g.mu.Lock()
	delete(g.all, e)
	g.mu.Unlock()
	g.left.Done()
}

// PID is 0: the host has no process for it.
func (e *entered) PID() int { return 0 }

// Signal passes a signal on. SIGKILL ends all that the program started.
func (e *entered) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	select {
	case <-e.ended:
		return nil
	default:
	}
	_, err := e.s.channel.Ask(channel.Request{Op: channel.OpSignal, Program: e.number, Signal: int(n)}, soon(answerIn))
	return err
}

// passedIn is how long what a program wrote last may take, where others have its
// descriptors still.
const passedIn = time.Second

// Wait waits for its end.
func (e *entered) Wait() (enforce.Result, error) {
	<-e.ended
	passed := make(chan struct{})
	go func() {
		e.pumps.Wait()
		close(passed)
	}()
	select {
	case <-passed:
	case <-time.After(passedIn):
	}
	lost := e.lost
	if lost != nil {
		select {
		case <-e.s.ended: // and everything in it
			return resultOf(e.answer, lost), nil
		case <-time.After(passedIn):
		}
	}
	return resultOf(e.answer, lost), lost
}
