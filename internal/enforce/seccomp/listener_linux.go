package seccomp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

// ErrGone says that the caller of a held call no longer waits: it died, or was
// answered already.
var ErrGone = errors.New("the call is no longer held")

// ErrClosed says that the listener was closed.
var ErrClosed = errors.New("seccomp listener closed")

// A Notification is one held call.
type Notification struct {
	ID   uint64
	PID  int // of the thread, in the reader's pid namespace; 0 if it has none there
	Call int // the call's number
	IP   uint64
	Args [6]uint64
}

// A Verdict is what becomes of a held call. The zero Verdict refuses it with
// EPERM.
type Verdict struct {
	kind  verdict
	errno unix.Errno
}

type verdict uint8

const (
	refused verdict = iota
	continued
	succeeded
	later
)

// Go lets the call run. The kernel starts it again from the beginning: it
// reads the arguments anew and checks what it always checks.
//
// Security: Go is never a check. Between the look at the caller's memory and
// the run, another thread can change what pointers point to. It is safe only
// where the decision rests on registers, or where another layer refuses what
// was not granted.
func Go() Verdict { return Verdict{kind: continued} }

// Refuse makes the call fail with e; 0 stands for EPERM, since a held call
// that did not run must not seem to have succeeded.
func Refuse(e unix.Errno) Verdict { return Verdict{errno: e} }

// Succeed makes the call return 0 without running. It is for calls that change
// nothing and tell nothing but whether something would be allowed.
func Succeed() Verdict { return Verdict{kind: succeeded} }

// Later says that Answer will be called for this notification by somebody
// else. Until then its caller waits.
func Later() Verdict { return Verdict{kind: later} }

// A Listener receives held calls. Its methods may be called concurrently.
type Listener struct {
	fd   int // not to be used but under mu, or serving, with closed false
	wake int // an eventfd that ends Serve; the same holds for it

	// first is a copy of fd that the runtime waits for, until the first call is held:
	// later each one would wake it up. Closed by Serve, and by Close.
	first *os.File

	serving sync.Mutex // held by Serve

	mu     sync.RWMutex // held for reading by every use of fd
	closed bool         // guarded by mu
}

// NewListener takes over fd, the descriptor that the installation of a filter
// with a listener returned. On an error fd stays the caller's.
func NewListener(fd int) (*Listener, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make eventfd: %w", err)
	}
	// Older kernels do not know the flag (EINVAL) and are only slower.
	if err := ioctlWakeHere(fd); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTTY) {
		_ = unix.Close(wake)
		return nil, fmt.Errorf("set flags of listener: %w", err)
	}
	unix.CloseOnExec(fd)
	l := &Listener{fd: fd, wake: wake}
	if first, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err == nil { // else a thread waits
		// So that the runtime waits for it. Where a call is received the kernel does not
		// look at this.
		_ = unix.SetNonblock(first, true)
		l.first = os.NewFile(uintptr(first), "seccomp listener")
	}
	return l, nil
}

// Serve calls handle for each held call, one after the other, until the last
// process under the filter is gone (it returns nil; before Linux 6.11 a process
// is gone when it was reaped) or the listener is closed
// (ErrClosed). The handler must be quick: what takes time answers Later and
// goes to another goroutine, since nothing else is received meanwhile. It must
// not wait for anything that a confined process does.
//
// From the first held call on Serve keeps its thread and blocks all signals on it: a
// signal that interrupts a reply can make a call return something that nobody said, and
// one that comes before a call is received restarts that call. Many programs make no such
// call, and a thread costs their start more than all that is done here.
func (l *Listener) Serve(handle func(Notification) Verdict) error {
	l.serving.Lock()
	defer l.serving.Unlock()
	l.mu.RLock()
	closed := l.closed
	l.mu.RUnlock()
	if closed {
		return ErrClosed
	}
	l.idle()
	if ready, err := l.wait(); err != nil || !ready {
		return err
	}
	restore, err := ownThread()
	if err != nil {
		return err
	}
	defer restore()
	for {
		switch ready, err := l.wait(); {
		case err != nil:
			return err
		case !ready:
			return nil
		}
		var raw rawNotification
		switch err := ioctlReceive(l.fd, &raw); {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOENT): // ENOENT: that caller died meanwhile
			continue
		case err != nil:
			return fmt.Errorf("receive held call: %w", err)
		}
		n := Notification{ID: raw.id, PID: int(raw.pid), Call: int(raw.nr), IP: raw.ip, Args: raw.args}
		if v := handle(n); v.kind != later {
			if err := l.Answer(n.ID, v); err != nil && !errors.Is(err, ErrGone) {
				return err
			}
		}
	}
}

// idle returns when wait will at once. Until then it takes no thread, where the runtime
// can wait for the descriptor; where it cannot, it returns early.
func (l *Listener) idle() {
	defer l.first.Close() // a copy; one that is not there is an error
	c, err := l.first.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Read(func(uintptr) bool { // an error is one of the runtime's waiting
		for {
			if n, err := unix.Poll(l.both(), 0); !errors.Is(err, unix.EINTR) {
				return n != 0
			}
		}
	})
}

// both are the descriptors that Serve waits for.
func (l *Listener) both() []unix.PollFd {
	return []unix.PollFd{{Fd: int32(l.fd), Events: unix.POLLIN}, {Fd: int32(l.wake), Events: unix.POLLIN}}
}

// wait returns true when a call is held, false when no process is left that
// could make one. Close waits for Serve, so the descriptors stay open.
func (l *Listener) wait() (bool, error) {
	for {
		p := l.both()
		switch err := thread.Poll(p); {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return false, fmt.Errorf("wait for held calls: %w", err)
		case p[1].Revents != 0:
			return false, ErrClosed
		case p[0].Revents&unix.POLLIN != 0:
			return true, nil
		case p[0].Revents&unix.POLLHUP != 0:
			return false, nil
		case p[0].Revents != 0:
			return false, fmt.Errorf("wait for held calls: listener reports %#x", p[0].Revents)
		}
	}
}

// ownThread locks the goroutine to its thread and blocks all signals there,
// those of the Go runtime included.
func ownThread() (restore func(), err error) {
	runtime.LockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("block signals: %w", err)
	}
	return func() {
		// A thread that cannot be restored stays locked and ends with its goroutine.
		if unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil) == nil {
			runtime.UnlockOSThread()
		}
	}, nil
}

// Answer ends the wait of a held call. ErrGone where its caller waits no more.
func (l *Listener) Answer(id uint64, v Verdict) error {
	a := rawAnswer{id: id}
	switch v.kind {
	case continued:
		a.flags = unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
	case succeeded:
	case refused:
		e := v.errno
		if e == 0 || e > 4095 { // MAX_ERRNO
			e = unix.EPERM
		}
		a.errno = -int32(e)
	default:
		return errors.New("internal error: Later is not an answer")
	}
	return l.use(func(fd int) error { return ioctlSend(fd, &a) })
}

// Give makes the call return a copy of fd, which the caller has as a descriptor
// of its own. Later is what the handler answers then.
func (l *Listener) Give(id uint64, fd int, closeOnExec bool) error {
	a := rawDescriptor{id: id, flags: unix.SECCOMP_ADDFD_FLAG_SEND, src: uint32(fd)}
	if closeOnExec {
		a.newFlags = unix.O_CLOEXEC
	}
	return l.use(func(fd int) error { return ioctlAddDescriptor(fd, &a) })
}

// Continue answers Go.
func (l *Listener) Continue(id uint64) error { return l.Answer(id, Go()) }

// Deny answers Refuse(e).
func (l *Listener) Deny(id uint64, e unix.Errno) error { return l.Answer(id, Refuse(e)) }

// Valid reports whether the call is still held, so that what was read before
// by its pid was read from its caller.
func (l *Listener) Valid(id uint64) bool {
	return l.use(func(fd int) error { return ioctlValid(fd, &id) }) == nil
}

// use runs one request on the descriptor, which cannot be closed meanwhile.
func (l *Listener) use(request func(fd int) error) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	for {
		switch err := request(l.fd); {
		case errors.Is(err, unix.EINTR): // the kernel did nothing yet: it waited for its own lock
			continue
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINPROGRESS):
			return ErrGone
		case err != nil:
			return fmt.Errorf("answer held call: %w", err)
		default:
			return nil
		}
	}
}

// Close ends Serve, waits for it and closes the descriptor. Calls that are
// held, and all that would be held later, fail with ENOSYS. It must not be
// called by a handler.
func (l *Listener) Close() error {
	if err := l.endServe(); err != nil {
		return err
	}
	l.serving.Lock()
	defer l.serving.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	_ = l.first.Close() // Serve has closed it, if it was called
	return errors.Join(unix.Close(l.fd), unix.Close(l.wake))
}

func (l *Listener) endServe() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return nil
	}
	one := binary.NativeEndian.AppendUint64(nil, 1)
	if _, err := unix.Write(l.wake, one); err != nil {
		return fmt.Errorf("end listener: %w", err)
	}
	_ = l.first.SetReadDeadline(time.Unix(1, 0)) // ends idle; where this is refused it does not wait
	return nil
}
