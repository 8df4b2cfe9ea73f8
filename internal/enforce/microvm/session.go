package microvm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// grace is how long a program that was asked to end (SIGTERM) may take, and a
// guest that was told to end it.
const grace = 5 * time.Second

// between is how long the least is between two times that files are brought back
// while the program runs, and restFor how much longer than the last took.
const (
	between = 500 * time.Millisecond
	restFor = 10
)

// session is a program in its machine, from the clone to the end.
type session struct {
	plan    enforce.Plan
	machine machine.Machine
	channel *channel.Session
	nonce   [channel.NonceSize]byte
	print   machine.Fingerprint
	report  enforce.Report
	denials chan enforce.Denial
	trees   []*tree // that are brought back
	next    int     // number of the next tree
	copied  int64   // bytes that went into the machine, one tree after the other
	skipped int     // objects that did not
	stdio   *stdio
	carrier *carrier       // of the network's frames; nil: there is none
	asking  *asking        // nil: nobody is asked
	guests  guests         // that have entered
	pumps   sync.WaitGroup // of what the program writes

	ended    chan struct{} // closed when the program has ended, or the machine
	released bool
	answer   channel.Answer // how; valid when ended is closed
	lost     error          // the machine ended first, or said nonsense; the same

	mu     sync.Mutex
	limit  string // guarded by mu; the bound that ended it
	killed bool   // guarded by mu
	// bringing is held while files are brought back, and while the machine pauses.
	bringing sync.Mutex
}

func newSession(p enforce.Plan, io enforce.Stdio) (*session, error) {
	d, err := newStdio(io)
	if err != nil {
		return nil, err
	}
	return &session{plan: p, stdio: d, nonce: newNonce(), denials: make(chan enforce.Denial), ended: make(chan struct{})}, nil
}

func (s *session) Report() enforce.Report         { return s.report }
func (s *session) PID() int                       { return s.machine.PID() }
func (s *session) Denials() <-chan enforce.Denial { return s.denials }

// memory is that of the machine, in MiB.
func (s *session) memory() int { return Tier{}.shape(s.plan).Memory }

// open greets the guest.
func (s *session) open() (err error) {
	s.channel, err = channel.Open(s.machine.Channel(), s.nonce, soon(answerIn))
	if err != nil {
		return fmt.Errorf("%w; the console ends with %q", err, tail(s.machine.Console()))
	}
	return nil
}

// identify tells the guest from all others of its template, before anything else.
func (s *session) identify() (boot string, err error) {
	seed := make([]byte, 64)
	_, _ = rand.Read(seed) // it never fails
	a, err := s.channel.Ask(channel.Request{Op: channel.OpIdentity, Identity: &channel.Identity{
		Seed: seed, Time: time.Now().UnixNano(), Hostname: hostname(s.plan.Session)}}, soon(answerIn))
	if err == nil && len(a.Boot) != 36 {
		return "", errors.New("the guest has no boot id")
	}
	return a.Boot, err
}

// prepare says what the guest builds.
func (s *session) prepare(l *layout) *channel.Prepare {
	p, old := s.plan, unix.Umask(0)
	unix.Umask(old)
	r := &channel.Prepare{Hostname: hostname(s.plan.Session), Entries: l.entries, Path: p.Program.Path, Dir: p.Program.Dir, UID: p.UID, GID: p.GID, Umask: old, Terminal: s.stdio.terminal,
		Limits: channel.Limits{Memory: p.Limits.Memory, PIDs: p.Limits.PIDs, CPU: p.Limits.CPU, File: p.Limits.Disk, FDs: p.Limits.FDs}}
	if r.Limits.PIDs == 0 {
		r.Limits.PIDs = enforce.DefaultPIDs
	}
	if l := p.Link; l != nil {
		r.Link = &channel.Link{Guest: l.Guest, Gateway: l.Gateway, Guest6: l.Guest6, Gateway6: l.Gateway6}
	}
	if p.Trapped() {
		r.Quiet = p.Quiet
	}
	for _, a := range p.Program.Argv {
		r.Argv = append(r.Argv, []byte(a))
	}
	for _, e := range p.Program.Env {
		r.Env = append(r.Env, []byte(e))
	}
	r.Rows, r.Columns = s.stdio.size()
	return r
}

// connect makes streams of a program's descriptors.
func (s *session) connect(program int, d *stdio, pumps *sync.WaitGroup) error {
	for fd := range 3 {
		if d.terminal && fd > 0 {
			break
		}
		st, err := s.channel.Stream(channel.Request{Op: channel.OpStream, Program: program, FD: fd})
		if err != nil {
			return err
		}
		if fd == 0 {
			d.readers.Go(func() { d.in(st.Conn()) })
		}
		if fd > 0 || d.terminal {
			pumps.Go(func() { d.out(max(fd, 1), st.Conn()) })
		}
	}
	return nil
}

// Release lets the program begin.
func (s *session) Release() error {
	if err := s.asking.begin(); err != nil {
		return fmt.Errorf("release the program: %w", err)
	}
	st, err := s.channel.Stream(channel.Request{Op: channel.OpGo})
	if err != nil {
		return fmt.Errorf("release the program: %w", err)
	}
	s.stdio.raw()
	s.stdio.resized(func(rows, columns uint16) {
		_, _ = s.channel.Ask(channel.Request{Op: channel.OpSize, Rows: rows, Columns: columns}, soon(answerIn)) // it looks odd then
	})
	s.released = true
	go func() {
		defer close(s.ended)
		defer st.Close() //nolint:errcheck // it was answered
		if s.answer, s.lost = st.Answer(time.Time{}); s.lost != nil {
			s.lost = fmt.Errorf("%w: %w; its console ends with %q", errLost, s.lost, tail(s.machine.Console()))
		}
	}()
	go s.bringWhileRunning()
	return nil
}

// bringWhileRunning brings files back from time to time.
func (s *session) bringWhileRunning() {
	if s.asking == nil && len(s.trees) == 0 {
		return
	}
	for rest := between; ; {
		select {
		case <-s.ended:
			return
		case <-time.After(rest):
		}
		begin := time.Now()
		_ = s.bringAll(soon(answerIn)) // a name that went away meanwhile ends one time; what stays the end says
		rest = max(between, restFor*time.Since(begin))
	}
}

func (s *session) bringAll(until time.Time) error {
	s.bringing.Lock()
	defer s.bringing.Unlock()
	var all []error
	for _, t := range s.trees {
		all = append(all, s.collect(t, until))
	}
	return errors.Join(all...)
}

// Signal passes a signal to the program.
func (s *session) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	if n == unix.SIGKILL {
		return s.Kill()
	}
	select {
	case <-s.ended:
		return nil
	default:
	}
	_, err := s.channel.Ask(channel.Request{Op: channel.OpSignal, Signal: int(n)}, soon(answerIn))
	return err
}

// Kill has the guest end all of the program, and ends the machine when that takes
// too long. What the program had written by then is brought back. No answer changes
// anything any more.
func (s *session) Kill() error {
	s.mu.Lock()
	again := s.killed
	s.killed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	if !s.released {
		return s.machine.Close(0)
	}
	late := time.AfterFunc(2*grace, s.end) // a guest that is frozen takes no stream either
	go func() {
		if _, err := s.channel.Ask(channel.Request{Op: channel.OpSignal, Signal: int(unix.SIGKILL)}, soon(grace)); err != nil {
			s.end()
		}
		<-s.ended
		late.Stop()
	}()
	s.asking.takeBack()
	return nil
}

// end ends the machine at once.
func (s *session) end() { _ = s.machine.Close(0) } // how it ended is said by Wait

// abandon ends a machine whose program never ran.
func (s *session) abandon() {
	s.stdio.stop()
	if s.channel != nil {
		_ = s.channel.Close() // nobody is at its other end any more
	}
	if s.machine != nil {
		s.end()
	}
	_ = s.asking.end() // nothing was asked
	s.carrier.end()
	s.pumps.Wait()
	s.stdio.close()
	for _, t := range s.trees {
		t.close()
	}
	close(s.denials)
}

// Wait waits for the end, keeping the bound on time, brings files back and cleans up.
func (s *session) Wait() (r enforce.Result, err error) {
	if !s.released {
		s.abandon()
		return enforce.Result{Signal: int(unix.SIGKILL), Exit: 128 + int(unix.SIGKILL)}, nil
	}
	if wall := s.plan.Limits.Wall; wall > 0 {
		defer time.AfterFunc(wall, s.timeIsUp).Stop()
	}
	<-s.ended
	s.asking.takeBack()
	s.mu.Lock()
	limit, killed := s.limit, s.killed
	s.mu.Unlock()
	if s.lost == nil {
		if err = s.bringAll(soon(answerIn)); err != nil {
			err = s.bringAll(soon(answerIn)) // what stood in the way of something is gone
		}
	}
	s.finish(killed || limit != "")
	r = s.result(limit, killed)
	if s.lost != nil && !killed && limit == "" {
		err = errors.Join(s.lost, err)
	}
	err = errors.Join(err, s.asking.end())
	if s.lost != nil && len(s.trees) > 0 {
		err = errors.Join(err, errors.New("what the program changed since the last time is lost"))
	}
	return r, err
}

// timeIsUp ends the program by its bound on time.
func (s *session) timeIsUp() {
	s.mu.Lock()
	s.limit = "wall"
	s.mu.Unlock()
	time.AfterFunc(grace, func() { _ = s.Kill() }) // it may have ended
	_ = s.Signal(unix.SIGTERM)                     // the next one does not ask
}

// finish takes everything apart. What the program wrote is passed on first, unless
// somebody ended it and nobody reads.
func (s *session) finish(atOnce bool) {
	passed := make(chan struct{})
	go func() {
		s.pumps.Wait()
		close(passed)
	}()
	if s.lost != nil {
		_ = s.channel.Close() // it ended
	}
	if atOnce {
		select {
		case <-passed:
		case <-time.After(2 * time.Second):
		}
	} else {
		<-passed
	}
	s.stdio.stop()
	s.guests.end()
	_ = s.channel.Close() // nothing more is said
	_ = s.asking.end()    // Wait says how the guest broke its rules, if it did
	<-passed
	s.guests.left.Wait()
	s.carrier.end()
	_ = s.machine.Close(closeIn) // its program has ended
	s.stdio.close()
	for _, t := range s.trees {
		t.close()
	}
	close(s.denials)
}

// result is the program's end.
func (s *session) result(limit string, killed bool) enforce.Result {
	r := resultOf(s.answer, s.lost)
	if limit != "" {
		r.Limit = limit
	}
	if r.CannotExec != nil {
		return r
	}
	if killed && r.Exit == 0 && r.Signal == 0 && limit == "" {
		return r // it ended by itself meanwhile
	}
	if r.Signal == int(unix.SIGXFSZ) && s.plan.Limits.Disk > 0 && r.Limit == "" {
		r.Limit, r.LimitText = "disk", "a file would have grown beyond it"
	}
	return r
}

// resultOf is what an answer says of a program's end; where it is lost, the
// program was ended.
func resultOf(a channel.Answer, lost error) enforce.Result {
	r := enforce.Result{Exit: a.Exit, Signal: a.Signal, Limit: a.Limit}
	if lost != nil {
		r.Signal = int(unix.SIGKILL)
	}
	if cause := a.CannotExec(); cause != nil {
		r.CannotExec, r.Exit = cause, 127
		return r
	}
	if r.Signal != 0 {
		r.Exit = 128 + r.Signal
	}
	return r
}

// Pause stops the machine's processor until resume is called.
func (s *session) Pause() (resume func(), err error) {
	s.bringing.Lock()
	if err := s.machine.Pause(); err != nil {
		s.bringing.Unlock()
		return nil, err
	}
	return sync.OnceFunc(func() {
		_ = s.machine.Resume() // a machine that is gone ends the session
		s.bringing.Unlock()
	}), nil
}

// Freeze stops the machine's processor. Where it goes on, its clock is put right before
// anything else is asked of it.
//
// Security: nothing in the machine runs meanwhile, its kernel neither.
func (s *session) Freeze() (way string, thaw func() error, err error) {
	resume, err := s.Pause()
	if err != nil {
		return "", nil, fmt.Errorf("pause the machine: %w", err)
	}
	return "its machine is stopped", func() error {
		resume()
		_, err := s.channel.Ask(channel.Request{Op: channel.OpClock, Time: time.Now().UnixNano()}, soon(answerIn))
		if err != nil {
			return fmt.Errorf("the session goes on, and its clock could not be put right: %w", err)
		}
		return nil
	}, nil
}
