//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// entered is a program that was started beside the first one.
type entered struct {
	s   *session
	pid int32 // in its own kernel

	gone       chan struct{} // closed when it has ended, or the session has
	told       bool          // valid when gone is closed: the agent said how
	status     uint32
	cannotExec syscall.Errno
}

// Enter starts a program beside the first one, by the sandbox's own kernel.
//
// Security: the sandbox around that kernel is the one that was read back, and its
// filter is looked at once more. The program has the first one's mounts, process
// ids, limits and filter, no capability and no_new_privs; of the host it gets what
// a first program may have as standard descriptors, and nothing else.
func (s *session) Enter(c enforce.Command) (enforce.Entered, error) {
	return s.enter(c, nil)
}

// EnterOwn starts Ambit's own program, which the view need not have.
//
// Security: its kernel gets the file as it is open here, to be read, and no path to it.
func (s *session) EnterOwn(c enforce.Command) (enforce.Entered, error) {
	own, err := os.Open(s.guest)
	if err != nil {
		return nil, fmt.Errorf("%s is needed for that: %w; `make build` makes it, and it is installed beside ambit", enforce.OwnProgram, err)
	}
	defer own.Close()
	return s.enter(c, own)
}

// enter starts a program: that of a file, if there is one.
func (s *session) enter(c enforce.Command, own *os.File) (enforce.Entered, error) {
	if err := s.sayable(c); err != nil {
		return nil, err
	}
	if err := filtered(s.sentry, s.pid); err != nil {
		return nil, fmt.Errorf("start another program: the sandbox's kernel: %w", err)
	}
	r, err := newRelayOf(c.Files)
	if err != nil {
		return nil, err
	}
	fds := make([]int, len(r.give))
	terminal := c.Terminal
	for i, f := range r.give {
		fds[i] = int(f.Fd())
		terminal = terminal && isTerminal(fds[i])
	}
	if own != nil {
		fds = append(fds, int(own.Fd()))
	}
	s.entering.Lock()
	defer s.entering.Unlock()
	defer s.asking.starting()()
	reply, err := s.ask(wire.Request{Op: wire.OpEnter, Command: &wire.Command{Args: c.Args, Env: c.Env, Dir: c.Dir, Terminal: terminal, Own: own != nil}}, fds...)
	r.handed()
	switch {
	case err != nil:
		return nil, fmt.Errorf("start another program: %w", err)
	case reply.Errno != 0:
		e := &entered{s: s, gone: make(chan struct{}), cannotExec: reply.Errno}
		close(e.gone)
		return e, nil
	}
	if e := s.newest.Swap(nil); e != nil {
		return e, nil
	}
	return nil, errors.New("start another program: its kernel does not say which it is")
}

// sayable refuses what JSON would change on its way.
func (s *session) sayable(c enforce.Command) error {
	for _, text := range slices.Concat(c.Args, c.Env, []string{c.Dir}) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return &enforce.CannotEnforce{Capability: fmt.Sprintf("%q", text), Why: "the " + s.plan.Tier + " tier takes arguments, variables and paths that are text (UTF-8) only"}
		}
	}
	return nil
}

// began notes that a program was started, before its end can be heard of.
func (s *session) began(pid int32) {
	e := &entered{s: s, pid: pid, gone: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside == nil {
		s.inside = map[int32]*entered{}
	}
	s.inside[pid] = e
	s.newest.Store(e)
}

// left notes that one has ended.
func (s *session) left(r wire.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.inside[r.PID]
	if e == nil {
		return
	}
	e.told, e.status = true, r.Status
	s.drop(e)
}

// allLeft ends the wait for those that ended with the session.
func (s *session) allLeft() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.inside {
		s.drop(e)
	}
}

// drop forgets one; s.mu is held.
func (s *session) drop(e *entered) {
	delete(s.inside, e.pid)
	close(e.gone)
}

// PID is 0: the host has no process for it.
func (*entered) PID() int { return 0 }

// Signal passes a signal on. SIGKILL ends its descendants too, as far as they are
// still known as such: what has become a child of the sandbox's first process goes
// on until the session ends.
func (e *entered) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	select {
	case <-e.gone:
		return nil
	default:
	}
	_, err := e.s.ask(wire.Request{Op: wire.OpSignal, Signal: int(n), PID: e.pid})
	if errors.Is(err, wire.ErrGone) {
		return nil
	}
	select {
	case <-e.gone: // meanwhile
		return nil
	default:
		return err
	}
}

// Wait waits until it has ended.
func (e *entered) Wait() (enforce.Result, error) {
	<-e.gone
	if !e.told && e.cannotExec == 0 { // with the session
		<-e.s.ended
	}
	if e.cannotExec != 0 {
		return enforce.Result{CannotExec: e.cannotExec, Exit: 127}, nil
	}
	ws := unix.WaitStatus(e.status)
	switch {
	case !e.told:
		return enforce.Result{Signal: int(unix.SIGKILL), Exit: 128 + int(unix.SIGKILL)}, nil
	case ws.Signaled():
		return enforce.Result{Signal: int(ws.Signal()), Exit: 128 + int(ws.Signal())}, nil
	}
	return enforce.Result{Exit: ws.ExitStatus()}, nil
}
