//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/row"
)

// grace is how long a program that was asked to end (SIGTERM) may take.
const grace = 5 * time.Second

// session is a sandbox from its threshold to its end.
type session struct {
	plan    enforce.Plan
	guest   string // path of enforce.OwnProgram
	pid     int    // of the agent, as the host sees it
	sentry  int    // of the program's kernel
	gofer   int    // of what opens files for it
	line    int
	relay   *relay
	zones   *row.Zones // nil where nothing is append-only
	asking  *asking    // nil where nothing is asked about
	group   *cgroup.Group
	report  enforce.Report
	denials chan enforce.Denial

	first chan wire.Reply // whether it is ready
	done  chan wire.Reply // the answer to a request
	one   sync.Mutex      // one request at a time

	terminal bool       // the program has one
	from     []*os.File // the snapshot that it begins from; nil: none

	hiding sync.Mutex
	hidden map[string]bool // guarded by hiding: what was taken away

	entering sync.Mutex              // one program is started at a time
	newest   atomic.Pointer[entered] // that was started last
	mu       sync.Mutex
	inside   map[int32]*entered // guarded by mu: programs beside the first one that run

	last       wire.Reply    // how the program ended; valid when heard is closed
	heard      chan struct{} // closed when the agent says no more
	cannotExec syscall.Errno // why there is no program
	ended      chan struct{}
	limit      atomic.Pointer[string] // the bound that ended it
	killed     atomic.Bool            // by this side
}

func (s *session) Report() enforce.Report         { return s.report }
func (s *session) PID() int                       { return s.pid }
func (s *session) Denials() <-chan enforce.Denial { return s.denials }

// hear takes what the agent says until it is gone.
//
// Security: the agent is not trusted with more than its words: each is bounded,
// and one of another kind than is waited for is dropped.
func (s *session) hear() {
	defer close(s.heard)
	defer s.allLeft()
	for {
		var r wire.Reply
		if err := wire.Receive(s.line, &r); err != nil {
			return
		}
		to := s.done
		switch r.Kind {
		case wire.Ended:
			s.last = r
			return
		case wire.Ready:
			to = s.first
		case wire.Left:
			s.left(r)
			continue
		case wire.Done:
			if r.PID > 0 { // before it can be said that it has ended
				s.began(r.PID)
			}
		}
		select {
		case to <- r:
		default:
		}
	}
}

// ask has the agent carry a request out.
func (s *session) ask(q wire.Request, files ...int) (wire.Reply, error) {
	s.one.Lock()
	defer s.one.Unlock()
	select {
	case <-s.heard:
		return wire.Reply{}, wire.ErrGone
	default:
	}
	if err := wire.Send(s.line, q, files...); errors.Is(err, wire.ErrLong) {
		return wire.Reply{}, err
	} else if err != nil {
		return wire.Reply{}, wire.ErrGone
	}
	select {
	case r := <-s.done:
		if r.Error != "" && r.Errno == 0 {
			return r, errors.New(r.Error)
		}
		return r, nil
	case <-s.heard:
		return wire.Reply{}, wire.ErrGone
	}
}

// kernelFilter is the name of a layer.
const kernelFilter = "kernel filter"

// load has the program's process made, stopped, and looks at what its kernel did
// for that.
//
// Security: the sentry enters its system call filter before it makes the process,
// and tasks of a paused kernel begin stopped: nothing of the program has run when
// the filter is looked at.
func (s *session) load() error {
	if s.from != nil { // what is restored runs at once: not before it is let go
		s.report.Layers = append(s.report.Layers, enforce.Layer{Name: kernelFilter, Detail: "entered by its own kernel before it reads the snapshot; looked at then"})
		return nil
	}
	r, err := s.ask(wire.Request{Op: wire.OpStart})
	if err != nil {
		return fmt.Errorf("make the program's process: %w", err)
	}
	filter := enforce.Layer{Name: kernelFilter, Promised: true, Holds: true, Detail: "of its own kernel's process, beside the one around it"}
	if s.cannotExec = r.Errno; r.Errno != 0 {
		filter = enforce.Layer{Name: filter.Name, Detail: "not entered: there is no program"}
	} else if err := filtered(s.sentry, s.pid); err != nil {
		filter.Holds, filter.Detail = false, err.Error()
	}
	s.report.Layers = append(s.report.Layers, filter)
	return nil
}

// Release lets the program begin.
func (s *session) Release() error {
	if s.from != nil {
		return s.restore()
	}
	if s.cannotExec != 0 {
		return s.Kill()
	}
	s.asking.begin(s.plan, s.gofer)
	_, err := s.ask(wire.Request{Op: wire.OpResume})
	if err != nil && !errors.Is(err, wire.ErrGone) { // it has begun and ended, or was killed: Wait tells
		return fmt.Errorf("release the program: %w", err)
	}
	return nil
}

// abandon ends a sandbox whose program never ran.
func (s *session) abandon() {
	_ = s.Kill() // it may have ended by itself
	<-s.ended
	_ = unix.Shutdown(s.line, unix.SHUT_RDWR) // the agent is gone
	_ = unix.Close(s.line)
	s.relay.close()
	if err := errors.Join(s.asking.end(), s.zones.End(), removeGroup(s.group)); err != nil {
		fmt.Fprintf(os.Stderr, "ambit: clean up a sandbox that did not begin: %v\n", err) // nobody is left to answer to
	}
}

// Signal passes a signal to the program, through the agent.
func (s *session) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	if n == unix.SIGKILL {
		return s.Kill()
	}
	_, err := s.ask(wire.Request{Op: wire.OpSignal, Signal: int(n)})
	if errors.Is(err, wire.ErrGone) {
		return nil
	}
	return err
}

// Kill ends the agent, and with it the kernel ends every process of the sandbox. No
// answer changes anything any more. It is safe against a reused process id: until ended
// is closed the process is not reaped.
func (s *session) Kill() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	s.killed.Store(true)
	if err := unix.Kill(s.pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill the sandbox: %w", err)
	}
	s.asking.takeBack()
	return nil
}

// Wait waits for the end, keeping the bound on time, and cleans up.
func (s *session) Wait() (enforce.Result, error) {
	if wall := s.plan.Limits.Wall; wall > 0 {
		defer time.AfterFunc(wall, func() {
			name := "wall"
			s.limit.Store(&name)
			time.AfterFunc(grace, func() { _ = s.Kill() })
			_ = s.Signal(unix.SIGTERM) // the next one does not ask
		}).Stop()
	}
	<-s.ended
	<-s.heard // what it said last is read by then
	s.one.Lock()
	err := unix.Close(s.line)
	s.one.Unlock()
	err = errors.Join(err, s.asking.end(), s.zones.End())
	s.relay.close()
	close(s.denials)
	r := s.result()
	if s.group != nil {
		if stats, e := s.group.Stats(); e == nil && r.Limit == "" {
			r.Limit = stats.Hit()
			r.LimitText = strings.Join(stats.Reached(s.group.Limits()), "; ")
		}
		err = errors.Join(err, s.group.Remove())
	}
	if r.Limit == "" {
		err = errors.Join(s.lost(), err)
	}
	return r, err
}

// lost says that something of the sandbox's own ended before its program did, if so,
// and nobody wanted that.
func (s *session) lost() error {
	switch {
	case s.killed.Load() || s.cannotExec != 0:
		return nil
	case s.last.Kind != wire.Ended:
		return errors.New("the sandbox ended before its program did: ambit-runsc was ended")
	case s.last.Error != "":
		return fmt.Errorf("the sandbox ended before its program did: %s", s.last.Error)
	}
	return nil
}

// result reads what the agent said of the program's end.
func (s *session) result() (r enforce.Result) {
	if l := s.limit.Load(); l != nil {
		r.Limit = *l
	}
	if s.cannotExec != 0 {
		r.CannotExec, r.Exit = s.cannotExec, 127
		return r
	}
	ws := unix.WaitStatus(s.last.Status)
	switch {
	case s.last.Kind != wire.Ended: // the agent was killed
		r.Signal = int(unix.SIGKILL)
	case !ws.Signaled():
		r.Exit = ws.ExitStatus()
		return r
	default:
		r.Signal = int(ws.Signal())
	}
	if r.Signal == int(unix.SIGXFSZ) && s.plan.Limits.Disk > 0 && r.Limit == "" {
		r.Limit, r.LimitText = "disk", "a file would have grown beyond it"
	}
	r.Exit = 128 + r.Signal
	return r
}

// Pause stops the program and all it started, by its own kernel.
func (s *session) Pause() (resume func(), err error) {
	if _, err := s.ask(wire.Request{Op: wire.OpPause}); err != nil {
		return nil, fmt.Errorf("pause the sandbox: %w", err)
	}
	return sync.OnceFunc(func() { _, _ = s.ask(wire.Request{Op: wire.OpResume}) }), nil // it may have been ended meanwhile
}

// Freeze pauses the program's kernel.
//
// Security: its tasks run nothing until it is resumed, whatever signals they get. Its
// kernel goes on, and ends with what looks after it.
func (s *session) Freeze() (way string, thaw func() error, err error) {
	if _, err := s.ask(wire.Request{Op: wire.OpPause}); err != nil {
		return "", nil, fmt.Errorf("pause the sandbox: %w", err)
	}
	return "paused by its own kernel", func() error {
		_, err := s.ask(wire.Request{Op: wire.OpResume})
		if errors.Is(err, wire.ErrGone) {
			return nil
		}
		return err
	}, nil
}
