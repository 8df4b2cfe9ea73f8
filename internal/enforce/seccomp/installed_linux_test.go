package seccomp_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// A probe is one attempt. Under the filter it must fail with want; without it
// the same attempt must succeed (control ""), or fail with another errno that
// shows that the kernel had begun to do it.
type probe struct {
	name    string
	try     func() error
	want    string
	control string
	options seccomp.Options // also needed for the refusal
	since   int             // the kernel that came with it, 615 for 6.15; one before it answers ENOSYS or EINVAL
}

// unknown reports whether this kernel is older than what is tried.
func (p probe) unknown(t *testing.T) bool {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major*100+minor < p.since
}

// controls are what the attempt may answer without the filter.
func (p probe) controls(t *testing.T) []string {
	t.Helper()
	if p.unknown(t) {
		return []string{"ENOSYS", "EINVAL"}
	}
	return strings.Fields(cmp.Or(p.control, "ok"))
}

const bad = uintptr(1) // an address that nothing is at

func call(nr uintptr, args ...uintptr) func() error {
	return func() error { return raw(nr, args...) }
}

func socket(family, kind, protocol int) func() error {
	return func() error {
		fd, err := unix.Socket(family, kind, protocol)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
}

// reap makes a process with flags of clone and waits for it.
func clone(flags uintptr) func() error {
	return func() error {
		pid, _, e := unix.RawSyscall6(unix.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 && e == 0 {
			for {
				_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
			}
		}
		if e != 0 {
			return e
		}
		_, err := unix.Wait4(int(pid), nil, 0, nil)
		return err
	}
}

// file makes a file and gives it to change; it fails if the file has a bit
// that makes it run as somebody else in spite of an error.
func file(change func(path string, fd int) error) func() error {
	return func() error {
		f, err := os.CreateTemp(".", "probe")
		if err != nil {
			return err
		}
		defer f.Close()
		result := change(f.Name(), int(f.Fd()))
		info, err := f.Stat()
		if err == nil && result != nil && info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
			return errors.New("refused, and yet the file has the bit")
		}
		return errors.Join(result, err)
	}
}

// made fails if path exists in spite of an error.
func made(path string, make func(path string) error) func() error {
	return func() error {
		result := make(path)
		if _, err := os.Lstat(path); result != nil && err == nil {
			return errors.New("refused, and yet it was made")
		}
		return result
	}
}

func openWith(flags int, mode uint32) func(string) error {
	return func(path string) error {
		fd, err := unix.Open(path, flags, mode)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
}

func closing(fd int, err error) error {
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// probes is in the order of the table.
func probes() []probe {
	limit := seccomp.Options{LimitExec: true}
	list := []probe{
		{name: "clone NEWUSER", try: clone(unix.CLONE_NEWUSER), want: "EPERM"},
		{name: "clone NEWNS", try: clone(unix.CLONE_NEWNS), want: "EPERM"},
		{name: "clone NEWNET", try: clone(unix.CLONE_NEWNET), want: "EPERM"},
		{name: "clone3", try: call(unix.SYS_CLONE3, bad, 88), want: "ENOSYS", control: "EFAULT"},
		{name: "unshare NEWUTS", try: func() error { return unix.Unshare(unix.CLONE_NEWUTS) }, want: "EPERM"},
		// With a flag that it does not take: a thread that has done it can make no others.
		{name: "unshare NEWTIME", try: func() error { return unix.Unshare(unix.CLONE_NEWTIME | unix.CLONE_CHILD_SETTID) }, want: "EPERM", control: "EINVAL"},
		{name: "setns", try: setns, want: "EPERM"},
		{name: "openat2", try: func() error {
			return closing(unix.Openat2(unix.AT_FDCWD, ".", &unix.OpenHow{Flags: unix.O_RDONLY}))
		}, want: "ENOSYS"},
		{name: "mount", try: func() error { return unix.Mount("none", ".", "tmpfs", 0, "") }, want: "EPERM"},
		{name: "umount2", try: func() error { return unix.Unmount("/proc/self/cwd", unix.MNT_DETACH) }, want: "EPERM"},
		{name: "pivot_root", try: call(unix.SYS_PIVOT_ROOT, bad, bad), want: "EPERM", control: "EFAULT"},
		{name: "chroot", try: func() error { return unix.Chroot("/") }, want: "EPERM"},
		{name: "fsopen", try: func() error { return closing(unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)) }, want: "EPERM"},
		{name: "fsconfig", try: call(unix.SYS_FSCONFIG, 99), want: "EPERM", control: "EINVAL"},
		{name: "fsmount", try: call(unix.SYS_FSMOUNT, 99), want: "EPERM", control: "EBADF"},
		{name: "fspick", try: func() error { return closing(unix.Fspick(unix.AT_FDCWD, "/dev", unix.FSPICK_CLOEXEC)) }, want: "EPERM"},
		{name: "open_tree", try: func() error { return closing(unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE)) }, want: "EPERM"},
		{name: "open_tree_attr", try: call(unix.SYS_OPEN_TREE_ATTR, ^uintptr(0), bad), want: "EPERM", control: "EFAULT", since: 615},
		{name: "move_mount", try: call(unix.SYS_MOVE_MOUNT, 99, bad, 99, bad), want: "EPERM", control: "EFAULT"},
		{name: "mount_setattr", try: func() error {
			return unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID})
		}, want: "EPERM"},
		{name: "name_to_handle_at", try: func() error { _, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/", 0); return err }, want: "EPERM"},
		{name: "open_by_handle_at", try: openByHandle, want: "EPERM"},
		{name: "fanotify_init", try: func() error { return closing(unix.FanotifyInit(0, 0)) }, want: "EPERM"},
		{name: "ptrace", try: call(unix.SYS_PTRACE, 0x4206 /* SEIZE */, 999999), want: "EPERM", control: "ESRCH"},
		{name: "process_vm_readv", try: func() error { _, err := seccomp.ReadBytes(os.Getpid(), uint64(address(canary)), 4); return err }, want: "EPERM"},
		{name: "process_vm_writev", try: call(unix.SYS_PROCESS_VM_WRITEV, uintptr(os.Getpid()), 0, 0, 0, 0, 0), want: "EPERM"},
		{name: "process_madvise", try: call(unix.SYS_PROCESS_MADVISE, 99), want: "EPERM", control: "EBADF"},
		{name: "pidfd_getfd", try: pidfdGetfd, want: "EPERM"},
		{name: "kcmp", try: call(unix.SYS_KCMP, uintptr(os.Getpid()), uintptr(os.Getpid()), 0, 0, 1), want: "EPERM"},
		{name: "io_uring_setup", try: ioUring, want: "EPERM"},
		{name: "io_uring_enter", try: call(unix.SYS_IO_URING_ENTER, 99), want: "EPERM", control: "EBADF"},
		{name: "io_uring_register", try: call(unix.SYS_IO_URING_REGISTER, 99), want: "EPERM", control: "EBADF EINVAL"},
		{name: "bpf", try: call(unix.SYS_BPF, 0, bad, 64), want: "EPERM", control: "EFAULT"},
		{name: "perf_event_open", try: call(unix.SYS_PERF_EVENT_OPEN, bad), want: "EPERM", control: "EFAULT"},
		{name: "userfaultfd", try: call(unix.SYS_USERFAULTFD, unix.O_CLOEXEC), want: "EPERM"},
		{name: "keyctl", try: func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err }, want: "EPERM"},
		{name: "add_key", try: func() error {
			_, err := unix.AddKey("user", "ambit-test", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
			return err
		}, want: "EPERM"},
		{name: "request_key", try: func() error { _, err := unix.RequestKey("user", "ambit-absent", "", 0); return err }, want: "EPERM", control: "ENOKEY ENOENT"},
		{name: "kexec_load", try: call(unix.SYS_KEXEC_LOAD, 0, 99), want: "EPERM", control: "ENOSYS EINVAL"},
		{name: "kexec_file_load", try: call(unix.SYS_KEXEC_FILE_LOAD, 99, 99, 0, 0, ^uintptr(0)), want: "EPERM", control: "ENOSYS EINVAL"},
		{name: "init_module", try: call(unix.SYS_INIT_MODULE, bad, 4096, bad), want: "EPERM", control: "EFAULT ENOSYS"},
		{name: "finit_module", try: call(unix.SYS_FINIT_MODULE, 99, bad, 0), want: "EPERM", control: "EBADF EFAULT ENOSYS"},
		{name: "delete_module", try: call(unix.SYS_DELETE_MODULE, bad, 0), want: "EPERM", control: "EFAULT ENOSYS"},
		{name: "reboot", try: call(unix.SYS_REBOOT, 0, 0, 0, 0), want: "EPERM", control: "EINVAL"},
		{name: "swapon", try: call(unix.SYS_SWAPON, bad, 0), want: "EPERM", control: "EFAULT"},
		{name: "swapoff", try: call(unix.SYS_SWAPOFF, bad), want: "EPERM", control: "EFAULT"},
		{name: "acct", try: call(unix.SYS_ACCT, bad), want: "EPERM", control: "EFAULT"},
		{name: "quotactl", try: call(unix.SYS_QUOTACTL, 0, bad, 0, 0), want: "EPERM", control: "EFAULT EINVAL"},
		{name: "quotactl_fd", try: call(unix.SYS_QUOTACTL_FD, 99, 0, 0, 0), want: "EPERM", control: "EBADF"},
		{name: "settimeofday", try: call(unix.SYS_SETTIMEOFDAY, bad, 0), want: "EPERM", control: "EFAULT"},
		{name: "clock_settime", try: call(unix.SYS_CLOCK_SETTIME, 99, bad), want: "EPERM", control: "EINVAL EFAULT"},
		{name: "lookup_dcookie", try: call(unix.SYS_LOOKUP_DCOOKIE, 0, bad, 0), want: "EPERM", control: "ENOSYS EINVAL EFAULT"},
		{name: "vhangup", try: call(unix.SYS_VHANGUP), want: "EPERM"},
		{name: "syslog", try: call(unix.SYS_SYSLOG, 10), want: "EPERM"},
		{name: "personality", try: call(unix.SYS_PERSONALITY, 0x0400000 /* READ_IMPLIES_EXEC */), want: "EPERM"},
		{name: "ioctl TIOCSTI", try: call(unix.SYS_IOCTL, 99, unix.TIOCSTI, 0), want: "EPERM", control: "EBADF"},
		{name: "ioctl TIOCLINUX", try: call(unix.SYS_IOCTL, 99, unix.TIOCLINUX, 0), want: "EPERM", control: "EBADF"},
		{name: "ioctl TIOCSETD", try: call(unix.SYS_IOCTL, 99, unix.TIOCSETD, 0), want: "EPERM", control: "EBADF"},
		{name: "ioctl TIOCSTI, high bits", try: call(unix.SYS_IOCTL, 99, unix.TIOCSTI|1<<32, 0), want: "EPERM", control: "EBADF"},
		{name: "socket VSOCK", try: socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0), want: "EAFNOSUPPORT"},
		{name: "socket PACKET", try: socket(unix.AF_PACKET, unix.SOCK_RAW, 0), want: "EAFNOSUPPORT"},
		{name: "socket XDP", try: socket(unix.AF_XDP, unix.SOCK_RAW, 0), want: "EAFNOSUPPORT"},
		{name: "socket INET PACKET", try: socket(unix.AF_INET, unix.SOCK_PACKET, 0), want: "ESOCKTNOSUPPORT"},
		{name: "socket INET MPTCP", try: socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP), want: "EPROTONOSUPPORT"},
		{name: "socket INET6 MPTCP", try: socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP), want: "EPROTONOSUPPORT"},
		{name: "socket INET RAW UDPLITE", try: socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE), want: "EPROTONOSUPPORT"},
		{name: "socket NETLINK GENERIC", try: socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC), want: "EPROTONOSUPPORT"},
		{name: "socketpair INET MPTCP", try: socketpair(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP), want: "EAFNOSUPPORT", control: "ENOTSUP"},
		{name: "fchmod", try: file(func(_ string, fd int) error { return unix.Fchmod(fd, 0o4755) }), want: "EPERM"},
		{name: "fchmodat", try: file(func(p string, _ int) error { return unix.Fchmodat(unix.AT_FDCWD, p, 0o2755, 0) }), want: "EPERM"},
		{name: "fchmodat2", try: file(func(p string, _ int) error {
			name := append([]byte(p), 0)
			return raw(unix.SYS_FCHMODAT2, uintptr(unix.AT_FDCWD&(1<<64-1)), address(name), 0o4755, unix.AT_SYMLINK_NOFOLLOW)
		}), want: "EPERM", since: 606},
		{name: "mknodat", try: made("node", func(p string) error { return unix.Mknodat(unix.AT_FDCWD, p, unix.S_IFREG|0o4755, 0) }), want: "EPERM"},
		{name: "mkdirat", try: made("directory", func(p string) error { return unix.Mkdirat(unix.AT_FDCWD, p, 0o2755) }), want: "EPERM"},
		{name: "openat CREAT", try: made("created", openWith(unix.O_CREAT|unix.O_WRONLY, 0o4755)), want: "EPERM"},
		{name: "openat TMPFILE", try: func() error { return openWith(unix.O_TMPFILE|unix.O_RDWR, 0o6755)(".") }, want: "EPERM"},
		{name: "memfd_create", try: func() error { return closing(unix.MemfdCreate("x", unix.MFD_CLOEXEC)) }, want: "EACCES", options: limit},
		{name: "memfd_create EXEC", try: func() error { return closing(unix.MemfdCreate("x", unix.MFD_EXEC)) }, want: "EACCES", options: limit, since: 603},
		{name: "prctl PDEATHSIG 0", try: func() error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) }, want: "EPERM",
			options: seccomp.Options{KeepDeathSignal: true}},
		{name: "prctl PDEATHSIG TERM", try: func() error { return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0) }, want: "EPERM",
			options: seccomp.Options{KeepDeathSignal: true}},
	}
	group := seccomp.Options{NoGroupSignal: true}
	list = append(list,
		probe{name: "kill 0", try: call(unix.SYS_KILL, 0, 0), want: "EPERM", options: group},
		probe{name: "pidfd_send_signal, flags", try: call(unix.SYS_PIDFD_SEND_SIGNAL, 99, 0, 0, 4), want: "EPERM", control: "EBADF EINVAL", options: group})
	return append(list, nativeProbes()...)
}

// allowed must succeed under the filter with everything on but the holds.
func allowed() []probe {
	return []probe{
		{name: "clone of a process", try: clone(0)},
		{name: "unshare FILES", try: func() error { return unix.Unshare(unix.CLONE_FILES) }},
		{name: "socket UNIX", try: socket(unix.AF_UNIX, unix.SOCK_SEQPACKET, 0)},
		{name: "socket INET", try: socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)},
		{name: "socket INET6", try: socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)},
		{name: "socket ROUTE", try: socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)},
		{name: "socketpair UNIX", try: socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
		{name: "personality query", try: call(unix.SYS_PERSONALITY, 0xffffffff)},
		{name: "fchmod", try: file(func(_ string, fd int) error { return unix.Fchmod(fd, 0o1777) })},
		{name: "mkdirat", try: func() error { return unix.Mkdirat(unix.AT_FDCWD, "plain", 0o755) }},
		{name: "openat CREAT", try: func() error { return openWith(unix.O_CREAT|unix.O_WRONLY, 0o755)("plainfile") }},
		{name: "openat, mode unused", try: func() error { return openWith(unix.O_RDONLY, 0o4755)(".") }},
		{name: "memfd_create NOEXEC_SEAL", try: func() error { return closing(unix.MemfdCreate("x", unix.MFD_NOEXEC_SEAL)) }, since: 603},
		{name: "prctl PDEATHSIG KILL", try: func() error { return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) }},
		{name: "prctl PDEATHSIG get", try: func() error {
			b := make([]byte, 4)
			return raw(unix.SYS_PRCTL, unix.PR_GET_PDEATHSIG, address(b))
		}},
		{name: "a nested filter", try: func() error { _, err := install(seccomp.Options{}); return err }},
	}
}

var canary = []byte("canary")

func setns() error {
	fd, err := unix.Open("/proc/self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Setns(fd, unix.CLONE_NEWUTS)
}

func openByHandle() error {
	mount, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/etc", 0)
	if err != nil {
		handle = unix.NewFileHandle(1, make([]byte, 8))
	}
	return closing(unix.OpenByHandleAt(mount, handle, unix.O_RDONLY))
}

func pidfdGetfd() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("pidfd_open is allowed: %v", err)
	}
	defer unix.Close(fd)
	return closing(unix.PidfdGetfd(fd, 0, 0))
}

func ioUring() error {
	params := make([]byte, 120)
	fd, _, e := unix.RawSyscall(unix.SYS_IO_URING_SETUP, 1, address(params), 0)
	if e != 0 {
		return e
	}
	return unix.Close(int(fd))
}

func socketpair(family, kind, protocol int) func() error {
	return func() error {
		fds, err := unix.Socketpair(family, kind, protocol)
		if err == nil {
			err = errors.Join(unix.Close(fds[0]), unix.Close(fds[1]))
		}
		return err
	}
}

// probeAll is a child: every probe once, by name.
func probeAll(o seccomp.Options, filtered bool) {
	unix.Umask(0)
	if filtered {
		if _, err := install(o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for _, p := range probes() {
		tell(p.name, p.try())
	}
	for _, p := range allowed() {
		tell("allowed "+p.name, p.try())
	}
}

// TestInstalled makes every refusal happen in the kernel, and every attempt
// once without the filter. That control means something for root only: to
// others the kernel answers EPERM by itself.
func TestInstalled(t *testing.T) {
	everything := seccomp.Options{LimitExec: true, KeepDeathSignal: true, NoGroupSignal: true}
	open := runChild(t, order{Child: "probes"})
	plain := runChild(t, order{Child: "probes", Filtered: true})
	full := runChild(t, order{Child: "probes", Filtered: true, Options: everything})
	for _, p := range probes() {
		if got := full[p.name]; got != p.want {
			t.Errorf("%s: %s, want %s", p.name, got, p.want)
		}
		if os.Geteuid() != 0 {
			continue
		}
		if p.options != (seccomp.Options{}) && !p.unknown(t) && !slices.Contains(p.controls(t), plain[p.name]) {
			t.Errorf("%s without its option: %s", p.name, plain[p.name])
		}
		if got := open[p.name]; !slices.Contains(p.controls(t), got) {
			t.Errorf("control of %s, without a filter: %s, want %s", p.name, got, p.controls(t))
		}
	}
	for _, p := range allowed() {
		for _, got := range []string{open["allowed "+p.name], full["allowed "+p.name]} {
			if !slices.Contains(p.controls(t), got) {
				t.Errorf("%s, which is allowed: %s", p.name, got)
			}
		}
	}
}
