//go:build linux

package namespace

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Slot names the result of an earlier call of the List.
type Slot int

// An Arg is one argument of a call: a number, the address of prepared memory,
// or the result of an earlier call.
type Arg struct {
	value uintptr
	slot  bool
}

// N is a number. Negative numbers are passed as the kernel expects them.
func N[T ~int | ~int32 | ~int64 | ~uint32 | ~uint64 | ~uintptr](v T) Arg {
	return Arg{value: uintptr(v)}
}

// Result is the result of the call that kept it in s.
func Result(s Slot) Arg { return Arg{value: uintptr(s), slot: true} }

// CWD is AT_FDCWD.
var CWD = N(unix.AT_FDCWD)

// A List is a prepared row of raw system calls. It is not safe for concurrent
// use and serves one Start, or one Run.
type List struct {
	// Flags are clone flags: CLONE_NEW… of the namespaces to make.
	Flags uintptr

	steps            []step
	slots            []uintptr
	path, argv, envv uintptr
	execFD           uintptr

	shares uint32 // 0: the process no longer shares this one's memory; the kernel writes it

	failed int // 0: execve succeeded; n: step n failed; len(steps)+1: execve failed
	errno  syscall.Errno
	soft   bool // a step that fails ends this row, and the process goes on with the next

	told   uintptr          // an eventfd
	made   uintptr          // the process, or -errno of the clone; the write to told orders it
	status *unix.WaitStatus // how it ended

	mu    sync.Mutex // orders Then and what Start reads; the new process reads next without it
	next  *List      // continued with, once the steps of this one are done
	alive []any      // what the addresses point to
	text  []byte     // the block that Str fills
}

// Then has the row go on with another one when its own steps are done. It may
// be called while the process waits in the last step of l: whoever ends that
// wait does so afterwards. What is executed is said by the last row.
func (l *List) Then(next *List) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = next
}

func (l *List) then() *List {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next
}

type step struct {
	nr     uintptr
	arg    [6]uintptr
	slots  uint8 // bit i: arg[i] is the number of a slot
	expect uint8
	keep   int32 // slot for the result, -1: none
	want   uintptr
	what   string
}

// What a step must do, or the start is refused.
const (
	mustSucceed uint8 = iota
	maySucceed
	mustFail  // with the errno in want
	mustYield // the value in want
	mustEqual // not a call: arg[2] bytes at arg[0] and arg[1]
)

// A Step is a call that was added; its methods say what is expected of it.
type Step struct {
	l *List
	i int
}

// Grow makes room for n more steps at once.
func (l *List) Grow(n int) { l.steps = slices.Grow(l.steps, n) }

// NewSlot reserves a place for a result.
func (l *List) NewSlot() Slot {
	l.slots = append(l.slots, 0)
	return Slot(len(l.slots) - 1)
}

// Call adds a system call. what describes it in errors, as in "mount /proc".
func (l *List) Call(what string, nr uintptr, args ...Arg) Step {
	s := step{nr: nr, keep: -1, what: what}
	for i, a := range args {
		s.arg[i] = a.value
		if a.slot {
			s.slots |= 1 << i
		}
	}
	l.steps = append(l.steps, s)
	return Step{l, len(l.steps) - 1}
}

// Keep stores the result in s.
func (s Step) Keep(slot Slot) Step { s.l.steps[s.i].keep = int32(slot); return s }

// May lets the call fail.
func (s Step) May() Step { s.l.steps[s.i].expect = maySucceed; return s }

// MustFail refuses the start unless the call fails with errno. It is how a
// layer is tried after it was applied.
func (s Step) MustFail(errno syscall.Errno) Step {
	s.l.steps[s.i].expect, s.l.steps[s.i].want = mustFail, uintptr(errno)
	return s
}

// MustYield refuses the start unless the call returns v.
func (s Step) MustYield(v uintptr) Step {
	s.l.steps[s.i].expect, s.l.steps[s.i].want = mustYield, v
	return s
}

// Equal refuses the start unless both pieces of memory are alike when the row
// reaches this point. The slices must have one length.
func (l *List) Equal(what string, a, b []byte) {
	s := l.Call(what, 0, l.Bytes(a), l.Bytes(b), N(len(a)))
	l.steps[s.i].expect = mustEqual
}

// WriteFile adds open, write and close of an existing file beneath dir.
func (l *List) WriteFile(what string, dir Arg, path, text string) {
	fd := l.NewSlot()
	l.Call(what, unix.SYS_OPENAT, dir, l.Str(path), N(unix.O_WRONLY|unix.O_CLOEXEC)).Keep(fd)
	l.Call(what, unix.SYS_WRITE, Result(fd), l.Str(text), N(len(text))).MustYield(uintptr(len(text)))
	l.Call(what, unix.SYS_CLOSE, Result(fd))
}

// Exec sets what the process executes at the end: an open descriptor of a
// program, with its arguments and environment.
func (l *List) Exec(fd int, argv, env []string) {
	l.execFD, l.path = uintptr(fd), l.Str("").value
	l.argv, l.envv = l.strv(argv), l.strv(env)
}

// A StepError says which step of the row failed, and how.
type StepError struct {
	What  string
	Errno syscall.Errno // 0: the call did something else than it must
}

func (e *StepError) Error() string {
	if e.Errno == 0 {
		return e.What + ": it did not do what it must"
	}
	return fmt.Sprintf("%s: %v", e.What, e.Errno)
}

// Unwrap gives the errno to errors.Is.
func (e *StepError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Start makes the process and returns its id when it has executed its program.
// The caller holds the OS thread locked until the process has ended, because
// the kernel binds PR_SET_PDEATHSIG to the thread that cloned. It does not take
// syscall.ForkLock: a row may wait for long, and closes by itself what it was not
// meant to have.
//
// Security: a step that does not do what it must ends the process before it
// has executed anything, and Start answers the error. Nothing is left behind.
func (l *List) Start() (int, error) {
	pid, errno := forkExec(l, false)
	if errno != 0 {
		return 0, fmt.Errorf("clone: %w", errno)
	}
	stopped := l.stoppedAt()
	if stopped == nil {
		return pid, nil
	}
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			break
		}
	}
	return 0, stopped
}

// Run is Start that returns when the process has ended; how it did is in status then, if
// there was one. When Started can be asked it adds one to told, an eventfd, by a call
// that no scheduler delays.
//
// Security: the kernel binds PR_SET_PDEATHSIG to the thread that cloned, and this one is
// in the kernel from there until the process has ended: no other goroutine gets it, and it
// cannot end before. So it need not be locked, for which the runtime would start another.
func (l *List) Run(told int, status *unix.WaitStatus) {
	l.told, l.status = uintptr(told), status
	_, _ = forkExec(l, true) // Started says it
	runtime.KeepAlive(l)
}

// Started is the id of the process that Run has made, once that told so. An error says
// that there is none; Run may still wait for its end.
func (l *List) Started() (int, error) {
	if l.made > none-maxErrno {
		return 0, fmt.Errorf("clone: %w", syscall.Errno(-l.made))
	}
	if err := l.stoppedAt(); err != nil {
		return 0, err
	}
	return int(l.made), nil
}

// stoppedAt is the step that ended the row, nil if it executed its program.
func (l *List) stoppedAt() error {
	for ; l != nil; l = l.then() {
		if err := l.failure(); err != nil {
			return err
		}
	}
	return nil
}

// failure is the step of this row that failed.
func (l *List) failure() error {
	switch {
	case l.failed > len(l.steps):
		return &StepError{What: "execute init", Errno: l.errno}
	case l.failed > 0:
		return &StepError{What: l.steps[l.failed-1].what, Errno: l.errno}
	}
	return nil
}
