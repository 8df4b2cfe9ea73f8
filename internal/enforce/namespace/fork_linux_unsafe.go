//go:build linux && (amd64 || arm64)

package namespace

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/thread"
)

const (
	maxErrno = 4095
	none     = ^uintptr(0)
	// opStore is not a system call: it stores arg[1] at the address arg[0].
	opStore = none
	// opTake neither: it keeps the number that stands at the address arg[0].
	opTake = none - 1
)

// These five are not public API. The runtime's source names them as used by
// others (gVisor) and promises to keep their signatures.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// cloneSharing is clone(2) on the caller's own stack, for a child that shares this
// process's memory. It returns in the child, and in the parent when *shares is 0: the
// kernel writes that when the child has executed a program or ended.
func cloneSharing(flags uintptr, shares *uint32) uintptr

// forkExec tells the scheduler that this thread is in a system call for as long
// as the child needs, and gives up its P for that. Without that the thread keeps its P: a
// collection that starts meanwhile waits for it, it waits for the child, and the child
// may wait for an answer (seccomp notification) from a goroutine that the collection
// has stopped. All three would wait for ever.
//
// The thread waits as vfork(2) has it wait, but not in vfork: there it could not be
// stopped, nor could the process that it belongs to, and it would count as busy.
//
// The child's timers are as exact as those of whoever started this process.
//
// With keep this thread stays in that system call until the child has ended, says before
// that it is there, and keeps how it ended.
//
// In the child it may not allocate, grow the stack, take a lock or store a
// pointer: the memory is the parent's, and its collector may be running.
//
//go:norace
//go:nosplit
func forkExec(l *List, keep bool) (int, syscall.Errno) {
	slack := thread.Before()
	entersyscallblock()
	beforeFork()
	l.shares = 1
	r := cloneSharing(l.Flags|syscall.CLONE_VM|syscall.CLONE_CHILD_CLEARTID|uintptr(syscall.SIGCHLD), &l.shares)
	if r != 0 {
		afterFork()
		if keep {
			l.keep(r)
		}
		exitsyscall()
		if r > none-maxErrno {
			return 0, syscall.Errno(-r)
		}
		return int(r), 0
	}
	afterForkInChild()
	if slack != 0 {
		_, _, _ = syscall.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, slack, 0)
	}
	l.perform()
	return 0, 0
}

// perform is all that the child does. It has a frame of its own: what it keeps there
// the parent does not find changed in the frame that both return to.
//
//go:norace
//go:nosplit
func (l *List) perform() {
	for {
		for i := 0; i < len(l.steps); i++ {
			if !l.do(&l.steps[i]) {
				l.failed = i + 1
				if l.soft {
					break
				}
				exit()
			}
		}
		if l.next == nil {
			break
		}
		l = l.next
	}
	_, _, e := syscall.RawSyscall6(unix.SYS_EXECVEAT, l.execFD, l.path, l.argv, l.envv, unix.AT_EMPTY_PATH, 0)
	l.failed, l.errno = len(l.steps)+1, e
	exit()
}

// keep tells that the process is there, and waits for its end.
//
//go:norace
//go:nosplit
func (l *List) keep(made uintptr) {
	l.made = made
	one := uint64(1)
	_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, l.told, uintptr(unsafe.Pointer(&one)), 8) // there is room for one
	if made > none-maxErrno {
		return
	}
	for {
		_, _, e := syscall.RawSyscall6(unix.SYS_WAIT4, made, uintptr(unsafe.Pointer(l.status)), 0, 0, 0, 0)
		if e != syscall.EINTR {
			return
		}
	}
}

// do performs one step in the child and reports whether it did what it must.
//
//go:norace
//go:nosplit
func (l *List) do(s *step) bool {
	a := s.arg
	for j := range a {
		if s.slots&(1<<j) != 0 {
			a[j] = l.slots[a[j]]
		}
	}
	if s.expect == mustEqual {
		return equal(*(**byte)(unsafe.Pointer(&a[0])), *(**byte)(unsafe.Pointer(&a[1])), a[2])
	}
	if s.nr == opStore {
		**(**uintptr)(unsafe.Pointer(&a[0])) = a[1]
		return true
	}
	if s.nr == opTake {
		l.slots[s.keep] = **(**uintptr)(unsafe.Pointer(&a[0]))
		return true
	}
	r, _, e := syscall.RawSyscall6(s.nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if s.keep >= 0 {
		l.slots[s.keep] = r
	}
	switch s.expect {
	case mustSucceed:
		l.errno = e
		return e == 0
	case mustFail:
		if uintptr(e) == s.want {
			return true
		}
		l.errno = e
		return false
	case mustYield:
		l.errno = e
		return e == 0 && r == s.want
	}
	return true
}

//go:norace
//go:nosplit
func equal(a, b *byte, n uintptr) bool {
	for i := range n {
		if *(*byte)(unsafe.Add(unsafe.Pointer(a), i)) != *(*byte)(unsafe.Add(unsafe.Pointer(b), i)) {
			return false
		}
	}
	return true
}

//go:norace
//go:nosplit
func exit() {
	for {
		_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 253, 0, 0)
	}
}
