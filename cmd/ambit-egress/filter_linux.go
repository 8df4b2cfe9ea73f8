package main

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// An allowed is a system call that this process makes, in general or with some
// values of one argument only. What is not listed fails with EPERM.
type allowed struct {
	nr     uint32
	arg    int    // that is looked at
	mask   uint32 // of its low half; 0: nothing is looked at
	values []uint32
}

// calls are those of the Go runtime while it serves, of sockets, and of reading
// the resolver's files. Nothing starts a program, maps memory as code, makes a
// file, or reaches another process.
var calls = slices.Concat(only(
	// The runtime: memory, threads, time, signals to itself.
	unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_FUTEX, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_SCHED_YIELD,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK, unix.SYS_GETTID, unix.SYS_GETPID, unix.SYS_TGKILL,
	unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_RESTART_SYSCALL, unix.SYS_GETRANDOM, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ, unix.SYS_MINCORE,
	unix.SYS_SCHED_GETAFFINITY, unix.SYS_UNAME, unix.SYS_PRLIMIT64,
	// Descriptors.
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_LSEEK, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_DUP3,
	unix.SYS_FCNTL, unix.SYS_PPOLL, unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2, unix.SYS_PIPE2,
	// Sockets, once they are there.
	unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT4, unix.SYS_GETSOCKNAME, unix.SYS_GETPEERNAME, unix.SYS_SETSOCKOPT,
	unix.SYS_GETSOCKOPT, unix.SYS_SENDTO, unix.SYS_RECVFROM, unix.SYS_SENDMSG, unix.SYS_RECVMSG, unix.SYS_SENDMMSG, unix.SYS_RECVMMSG,
	unix.SYS_SHUTDOWN, unix.SYS_SPLICE,
	// Files, to which Landlock says more.
	unix.SYS_FACCESSAT, unix.SYS_READLINKAT, unix.SYS_GETDENTS64, unix.SYS_STATX,
), only(native...), []allowed{
	{nr: unix.SYS_SOCKET, arg: 0, mask: whole, values: []uint32{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}},
	{nr: unix.SYS_CLONE, arg: 0, mask: unix.CLONE_THREAD, values: []uint32{unix.CLONE_THREAD}},
	{nr: unix.SYS_MMAP, arg: 2, mask: unix.PROT_EXEC, values: []uint32{0}},
	{nr: unix.SYS_MPROTECT, arg: 2, mask: unix.PROT_EXEC, values: []uint32{0}},
	{nr: unix.SYS_OPENAT, arg: 2, mask: unix.O_ACCMODE | unix.O_CREAT | unix.O_TRUNC, values: []uint32{unix.O_RDONLY}},
	{nr: unix.SYS_IOCTL, arg: 1, mask: whole, values: []uint32{unix.TIOCINQ}},
	{nr: unix.SYS_PRCTL, arg: 0, mask: whole, values: []uint32{unix.PR_SET_VMA}},
})

const whole = ^uint32(0)

func only(numbers ...uint32) []allowed {
	all := make([]allowed, len(numbers))
	for i, nr := range numbers {
		all[i].nr = nr
	}
	return all
}

// Offsets into struct seccomp_data (linux/seccomp.h); the low half of an argument
// comes first.
const (
	offNumber, offArch, offArgs = 0, 4, 16
)

// program makes the filter. Each call is a comparison; the kernel remembers those
// that are always allowed and does not run the filter for them.
func program(of []allowed) []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		deny  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	)
	p := []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: equal, K: arch, Jt: 1},
		{Code: ret, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: offNumber},
		// clone3 keeps its flags in memory: the runtime falls back to clone.
		{Code: equal, K: unix.SYS_CLONE3, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
	}
	for _, c := range of {
		if c.mask == 0 {
			p = append(p, unix.SockFilter{Code: equal, K: c.nr, Jf: 1}, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
			continue
		}
		// After another number: over the look at the argument and its answers.
		n := len(c.values)
		p = append(p,
			unix.SockFilter{Code: equal, K: c.nr, Jf: uint8(2*n + 3)},
			unix.SockFilter{Code: load, K: uint32(offArgs + 8*c.arg)},
			unix.SockFilter{Code: and, K: c.mask})
		for _, v := range c.values {
			p = append(p, unix.SockFilter{Code: equal, K: v, Jf: 1}, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
		}
		p = append(p, unix.SockFilter{Code: ret, K: deny})
	}
	return append(p, unix.SockFilter{Code: ret, K: deny})
}

// filter installs the filter for every thread and tries it.
//
// Security: the process has set no_new_privs. What it does afterwards with bytes
// that a stranger sent it cannot start a program nor make memory that is code.
func filter() error {
	p := program(calls)
	if err := install(&unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}); err != nil {
		return fmt.Errorf("install the system call filter: %w", err)
	}
	if _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != unix.EPERM {
		return fmt.Errorf("the system call filter does not hold: %v", err)
	}
	return nil
}
