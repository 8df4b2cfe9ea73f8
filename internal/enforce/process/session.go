//go:build linux

package process

import (
	"encoding/binary"
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
	"ambit.dev/ambit/internal/enforce/row"
)

// grace is how long a program that was asked to end (SIGTERM) may take.
const grace = 5 * time.Second

// session is a sandbox from its threshold to its end.
type session struct {
	plan    enforce.Plan
	pid     int // of init, as the host sees it
	line    *line
	group   *cgroup.Group
	report  enforce.Report
	outside map[string]string // the launcher's namespaces
	denials chan enforce.Denial
	missed  atomic.Int64 // denials that nobody took in time
	attach  *attacher
	asking  *asking    // nil where nothing is asked about
	zones   *row.Zones // nil where nothing is append-only or stored
	network enforce.Networker
	late    *lateLink     // of a plan whose link is made later
	letGo   func()        // of the mounts; nil before they are held
	copied  atomic.Int64  // a copy of the host's mounts that it was made from; 0: none, or let go
	stood   bool          // its view did before the plan was known
	hears   bool          // the filter's listener was taken over
	watched chan struct{} // closed when held calls are no longer answered
	uses    *uses         // nil where opens are not watched; of the watcher until watched is closed

	positions []position // in files that are handed over

	freezing sync.Mutex
	frost    *frost // guarded by freezing; nil until it is paused first

	status unix.WaitStatus // of init; valid when ended is closed
	ended  chan struct{}
	limit  atomic.Pointer[string] // the bound that ended it
}

func (s *session) Report() enforce.Report         { return s.report }
func (s *session) Stood() bool                    { return s.stood }
func (s *session) PID() int                       { return s.pid }
func (s *session) Denials() <-chan enforce.Denial { return s.denials }

// Release lets the program begin.
func (s *session) Release() error {
	if err := s.line.send(1); err != nil {
		return fmt.Errorf("release the program: %w", err)
	}
	go s.letCopyGo()
	return nil
}

// abandon ends a sandbox whose program never ran.
func (s *session) abandon() {
	_ = s.Kill() // it may have ended by itself
	<-s.ended
	s.takeOver()
	_ = s.line.Close()
	s.letCopyGo()
	_ = errors.Join(s.endServing(), s.attach.close()) // nothing of it is left to lose
	if err := removeGroup(s.group); err != nil {
		fmt.Fprintf(os.Stderr, "ambit: remove the control group: %v\n", err) // nobody is left to answer to
	}
}

// Signal passes a signal to the program, through init.
func (s *session) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	if n == unix.SIGKILL {
		return s.Kill()
	}
	return s.kill(n)
}

// Kill ends init, and with it the kernel ends every process of the sandbox.
func (s *session) Kill() error {
	err := s.kill(unix.SIGKILL)
	s.asking.takeBack()
	return err
}

// kill is safe against a reused process id: until ended is closed the process
// is not reaped.
func (s *session) kill(sig syscall.Signal) error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	if err := unix.Kill(s.pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal the sandbox: %w", err)
	}
	return nil
}

// Wait waits for the end, keeping the bound on time, and cleans up.
func (s *session) Wait() (enforce.Result, error) {
	if wall := s.plan.Limits.Wall; wall > 0 {
		defer time.AfterFunc(wall, func() {
			name := "wall"
			s.limit.Store(&name)
			_ = s.kill(unix.SIGTERM) // the next one does not ask
			time.AfterFunc(grace, func() { _ = s.Kill() })
		}).Stop()
	}
	<-s.ended
	if s.letGo != nil && s.zones == nil {
		go s.letGo()
	}
	s.takeOver()
	s.letCopyGo()
	r := s.result()
	r.Missed = int(s.missed.Load())
	full := s.zones.Full()
	err := errors.Join(s.line.Close(), s.endServing(), s.attach.close())
	if s.letGo != nil { // where something is served, what was asked last was answered first
		go s.letGo()
	}
	if s.group != nil {
		if stats, e := s.group.Stats(); e == nil && r.Limit == "" {
			r.Limit = stats.Hit()
			r.LimitText = strings.Join(stats.Reached(s.group.Limits()), "; ")
		}
		err = errors.Join(err, s.group.Remove())
	}
	if r.Limit == "" && len(full) > 0 {
		if r.LimitText != "" {
			full = append(full, r.LimitText)
		}
		r.LimitText = strings.Join(full, "; ")
	}
	return r, err
}

// endServing ends what answers first touches and what is append-only, when no call
// is held any more.
func (s *session) endServing() error {
	<-s.watched
	return errors.Join(s.asking.end(), s.zones.End())
}

// takeOver leaves the person's descriptors where the program's are.
func (s *session) takeOver() {
	for _, p := range s.positions {
		p.takeOver()
	}
}

// result reads what init said of the program's end.
func (s *session) result() (r enforce.Result) {
	if l := s.limit.Load(); l != nil {
		r.Limit = *l
	}
	word, ok := s.line.last()
	switch {
	case !ok: // init was killed
		r.Signal = int(unix.SIGKILL)
		if s.status.Signaled() {
			r.Signal = int(s.status.Signal())
		}
	case word < 0:
		r.CannotExec, r.Exit = syscall.Errno(-word), 127
		return r
	default:
		ws := unix.WaitStatus(word)
		if !ws.Signaled() {
			r.Exit = ws.ExitStatus()
			return r
		}
		r.Signal = int(ws.Signal())
	}
	if r.Signal == int(unix.SIGXFSZ) && s.plan.Limits.Disk > 0 && r.Limit == "" {
		r.Limit, r.LimitText = "disk", "a file would have grown beyond it"
	}
	r.Exit = 128 + r.Signal
	return r
}

// line is the launcher's end of the socket to init.
type line struct {
	f *os.File
}

func newLine(fd int) (*line, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("set up the line to init: %w", err)
	}
	return &line{os.NewFile(uintptr(fd), "line to init")}, nil
}

func (l *line) Close() error { return l.f.Close() }

func (l *line) send(b byte) error {
	_, err := l.f.Write([]byte{b})
	return err
}

// last reads the four bytes that init leaves, if it did. It is called when init
// has ended, so they are there already.
func (l *line) last() (int32, bool) {
	_ = l.f.SetReadDeadline(time.Now().Add(time.Second)) // only a socket that cannot have one would refuse
	for {
		var b [16]byte
		n, err := l.f.Read(b[:])
		if err != nil || n == 0 {
			return 0, false
		}
		if n == 4 {
			return int32(binary.NativeEndian.Uint32(b[:4])), true
		}
	}
}

// descriptor waits for the message that carries a descriptor.
func (l *line) descriptor() (int, error) {
	c, err := l.f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, oob := -1, make([]byte, unix.CmsgSpace(4))
	var failed error
	err = c.Read(func(sock uintptr) bool {
		var n, oobn int
		n, oobn, _, _, failed = unix.Recvmsg(int(sock), make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(failed, unix.EAGAIN) || errors.Is(failed, unix.EINTR) {
			return false
		}
		if failed == nil && (n == 0 || oobn == 0) {
			failed = errNoInit
		}
		if failed == nil {
			fd, failed = received(oob[:oobn])
		}
		return true
	})
	return fd, errors.Join(err, failed)
}

func received(oob []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return -1, err
	}
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 {
			return fds[0], nil
		}
	}
	return -1, errNoInit
}
