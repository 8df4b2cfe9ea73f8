package seccomp_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// TestArguments states by hand what the rules on arguments must come to; the
// other tests compare with the table itself.
func TestArguments(t *testing.T) {
	const (
		anything = 0xdeadbeef00000000 // in the half that the kernel does not look at
		thread   = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD
		tmpfile  = unix.O_TMPFILE &^ unix.O_DIRECTORY
		sigchld  = uint64(unix.SIGCHLD)
		whole    = 0xffffffff
	)
	spawn, open := seccomp.Options{NoSpawn: true}, seccomp.Options{HoldOpen: true}
	send, exec := seccomp.Options{HoldSendto: true}, seccomp.Options{LimitExec: true}
	death := seccomp.Options{KeepDeathSignal: true}
	change, run := seccomp.Options{HoldChanges: true}, seccomp.Options{HoldRuns: true}
	look, group := seccomp.Options{HoldLooks: true}, seccomp.Options{NoGroupSignal: true}
	runs := seccomp.Options{HoldRuns: true, HoldLooks: true, HoldChanges: true}
	first := seccomp.Options{HoldSockets: true}
	watched := seccomp.Options{HoldLooks: true, HoldOpen: true}
	const cwd = 0xffffffffffffff9c // AT_FDCWD
	for _, c := range []struct {
		options seccomp.Options
		call    string
		args    [6]uint64
		want    string
	}{
		{spawn, "clone", [6]uint64{thread}, "allow"},
		{spawn, "clone", [6]uint64{thread | unix.CLONE_NEWUSER}, "EPERM"},
		{spawn, "clone", [6]uint64{sigchld}, "hold"},
		{spawn, "clone", [6]uint64{sigchld | unix.CLONE_VM | unix.CLONE_VFORK}, "hold"},
		{spawn, "clone", [6]uint64{sigchld | unix.CLONE_NEWPID}, "EPERM"},
		{spawn, "clone", [6]uint64{anything | sigchld}, "hold"},
		{spawn, "clone3", [6]uint64{}, "ENOSYS"},
		{spawn, "execve", [6]uint64{}, "hold"},
		{spawn, "execveat", [6]uint64{}, "hold"},
		{spawn, "execveat", [6]uint64{cwd, 1, 2, 3, unix.AT_EMPTY_PATH}, "hold"},
		{run, "execve", [6]uint64{1, 2, 3}, "hold"},
		{run, "execveat", [6]uint64{cwd, 1, 2, 3, 0}, "hold"},
		{run, "execveat", [6]uint64{cwd, 1, 2, 3, unix.AT_SYMLINK_NOFOLLOW}, "hold"},
		{run, "execveat", [6]uint64{cwd, 1, 2, 3, unix.AT_EMPTY_PATH}, "allow"}, // as init starts the program
		{runs, "execveat", [6]uint64{cwd, 1, 2, 3, unix.AT_EMPTY_PATH}, "hold"}, // whose interpreter no trap asks about
		{open, "execveat", [6]uint64{cwd, 1, 2, 3, unix.AT_EMPTY_PATH}, "hold"},
		{seccomp.Options{}, "clone", [6]uint64{sigchld | unix.CLONE_NEWTIME}, "allow"}, // part of the signal's number there
		{seccomp.Options{}, "unshare", [6]uint64{unix.CLONE_NEWTIME}, "EPERM"},
		{seccomp.Options{}, "unshare", [6]uint64{unix.CLONE_FS | unix.CLONE_FILES}, "allow"},

		{group, "kill", [6]uint64{0, 9}, "EPERM"},
		{group, "kill", [6]uint64{anything, 9}, "EPERM"},
		{group, "kill", [6]uint64{1, 9}, "allow"},
		{group, "kill", [6]uint64{whole, 9}, "allow"}, // -1: everybody in the pid namespace
		{group, "pidfd_send_signal", [6]uint64{3, 9, 0, 4}, "EPERM"},
		{group, "pidfd_send_signal", [6]uint64{3, 9, 0, 0}, "allow"},
		{seccomp.Options{}, "kill", [6]uint64{0, 9}, "allow"},

		{seccomp.Options{}, "setpriority", [6]uint64{unix.PRIO_PGRP, 0, 19}, "EPERM"},
		{seccomp.Options{}, "setpriority", [6]uint64{anything | unix.PRIO_PGRP, anything, 19}, "EPERM"},
		{seccomp.Options{}, "setpriority", [6]uint64{unix.PRIO_PGRP, 7, 19}, "allow"},
		{seccomp.Options{}, "setpriority", [6]uint64{unix.PRIO_PROCESS, 0, 19}, "allow"},
		{seccomp.Options{}, "ioprio_set", [6]uint64{2, 0}, "EPERM"},
		{seccomp.Options{}, "ioprio_set", [6]uint64{1, 0}, "allow"},

		{open, "openat", [6]uint64{0, 0, unix.O_CREAT, 0o4755}, "EPERM"},
		{open, "openat", [6]uint64{0, 0, unix.O_CREAT | anything, 0o2755 | anything}, "EPERM"},
		{open, "openat", [6]uint64{0, 0, unix.O_RDONLY, 0o6777}, "hold"},
		{open, "openat", [6]uint64{0, 0, unix.O_CREAT, 0o1777}, "hold"},
		{open, "openat2", [6]uint64{}, "ENOSYS"},
		{seccomp.Options{}, "openat", [6]uint64{0, 0, tmpfile, 0o4755}, "EPERM"},
		{seccomp.Options{}, "openat", [6]uint64{0, 0, unix.O_DIRECTORY, 0o4755}, "allow"},
		{seccomp.Options{}, "fchmod", [6]uint64{3, 0o2000}, "EPERM"},
		{seccomp.Options{}, "fchmod", [6]uint64{3, 0o1777}, "allow"},
		{seccomp.Options{}, "fchmodat", [6]uint64{3, 0, 0o4000}, "EPERM"},
		{seccomp.Options{}, "fchmodat2", [6]uint64{3, 0, 0o4000}, "EPERM"},
		{seccomp.Options{}, "mknodat", [6]uint64{3, 0, 0o104755}, "EPERM"},
		{seccomp.Options{}, "mkdirat", [6]uint64{3, 0, 0o2755}, "EPERM"},
		{seccomp.Options{}, "chmod", [6]uint64{0, 0o4000}, "EPERM"},
		{seccomp.Options{}, "creat", [6]uint64{0, 0o4000}, "EPERM"},
		{seccomp.Options{}, "mknod", [6]uint64{0, 0o4000}, "EPERM"},
		{seccomp.Options{}, "mkdir", [6]uint64{0, 0o4000}, "EPERM"},
		{seccomp.Options{}, "open", [6]uint64{0, unix.O_CREAT, 0o4000}, "EPERM"},

		{seccomp.Options{}, "socket", [6]uint64{unix.AF_INET | anything, unix.SOCK_STREAM}, "allow"},
		{seccomp.Options{}, "socket", [6]uint64{unix.AF_ALG | anything, unix.SOCK_SEQPACKET}, "EAFNOSUPPORT"},
		{seccomp.Options{}, "socket", [6]uint64{unix.AF_INET, unix.SOCK_SEQPACKET | unix.SOCK_CLOEXEC}, "ESOCKTNOSUPPORT"}, // SCTP
		{seccomp.Options{}, "socket", [6]uint64{unix.AF_INET6, 6}, "ESOCKTNOSUPPORT"},                                      // DCCP
		{seccomp.Options{}, "socket", [6]uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, "EPROTONOSUPPORT"},
		{seccomp.Options{}, "socket", [6]uint64{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW}, "EPROTONOSUPPORT"},
		{seccomp.Options{}, "socket", [6]uint64{unix.AF_UNIX, unix.SOCK_SEQPACKET, 7}, "allow"}, // the kernel's to refuse
		{seccomp.Options{}, "socket", [6]uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER}, "EPROTONOSUPPORT"},
		{seccomp.Options{}, "socketpair", [6]uint64{unix.AF_TIPC}, "EAFNOSUPPORT"},
		{seccomp.Options{}, "ioctl", [6]uint64{0, unix.TIOCSTI | anything}, "EPERM"},
		{seccomp.Options{}, "ioctl", [6]uint64{0, unix.TIOCGWINSZ}, "allow"},
		{seccomp.Options{}, "personality", [6]uint64{0x40000}, "allow"},
		{seccomp.Options{}, "personality", [6]uint64{0x40000 | 0x400000}, "EPERM"},

		{change, "openat", [6]uint64{0, 0, unix.O_RDONLY | unix.O_CLOEXEC | unix.O_DIRECTORY}, "allow"},
		{change, "openat", [6]uint64{0, 0, unix.O_WRONLY}, "hold"},
		{change, "openat", [6]uint64{0, 0, unix.O_RDONLY | unix.O_TRUNC}, "hold"},
		{change, "openat", [6]uint64{0, 0, unix.O_RDONLY | unix.O_CREAT, 0o644}, "hold"},
		{change, "openat", [6]uint64{0, 0, unix.O_RDWR | unix.O_CREAT, 0o4755}, "EPERM"},
		{change, "openat", [6]uint64{0, 0, tmpfile}, "hold"},
		{change, "openat", [6]uint64{0, 0, unix.O_PATH | unix.O_NOFOLLOW}, "hold"},
		{change, "open", [6]uint64{0, unix.O_RDONLY}, "allow"},
		{change, "open", [6]uint64{0, unix.O_RDWR | anything}, "hold"},
		{change, "creat", [6]uint64{0, 0o644}, "hold"},
		{change, "renameat2", [6]uint64{}, "hold"},
		{change, "chmod", [6]uint64{0, 0o644}, "hold"},
		{change, "chmod", [6]uint64{0, 0o4755}, "EPERM"},
		{change, "fchmod", [6]uint64{0, 0o644}, "allow"}, // the descriptor's mount decides
		{change, "execve", [6]uint64{}, "allow"},
		{change, "access", [6]uint64{0, unix.R_OK}, "allow"},
		{change, "access", [6]uint64{0, unix.X_OK}, "hold"},
		{change, "faccessat", [6]uint64{3, 0, unix.F_OK}, "allow"},
		{change, "faccessat", [6]uint64{3, 0, unix.R_OK | unix.W_OK}, "hold"},
		{change, "faccessat2", [6]uint64{3, 0, unix.X_OK, unix.AT_EACCESS}, "hold"},
		{change, "faccessat2", [6]uint64{3, 0, unix.R_OK, unix.AT_EACCESS}, "allow"},
		{look, "openat", [6]uint64{0, 0, unix.O_RDONLY | unix.O_CLOEXEC | unix.O_DIRECTORY}, "hold"},
		{look, "openat", [6]uint64{0, 0, unix.O_CREAT, 0o4755}, "EPERM"},
		{look, "open", [6]uint64{}, "hold"},
		{look, "openat2", [6]uint64{}, "ENOSYS"},
		{look, "stat", [6]uint64{}, "hold"},
		{look, "lstat", [6]uint64{}, "hold"},
		{look, "newfstatat", [6]uint64{cwd, 0, 0, unix.AT_SYMLINK_NOFOLLOW}, "hold"},
		{look, "newfstatat", [6]uint64{cwd & (1<<32 - 1), 0, 0, unix.AT_SYMLINK_NOFOLLOW}, "hold"}, // the kernel takes an int
		{look, "newfstatat", [6]uint64{3, 0, 0, 0}, "hold"},
		{look, "newfstatat", [6]uint64{3, 0, 0, unix.AT_SYMLINK_NOFOLLOW}, "allow"}, // by a name that was listed
		{look, "statx", [6]uint64{3, 0, unix.AT_SYMLINK_NOFOLLOW | unix.AT_STATX_DONT_SYNC}, "allow"},
		{look, "openat", [6]uint64{3, 0, unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_DIRECTORY | unix.O_CLOEXEC}, "allow"},
		{look, "openat", [6]uint64{3, 0, unix.O_RDONLY | unix.O_DIRECTORY}, "hold"},
		{look, "openat", [6]uint64{cwd, 0, unix.O_RDONLY | unix.O_NOFOLLOW}, "hold"},
		{look, "openat", [6]uint64{3, 0, unix.O_PATH | unix.O_NOFOLLOW}, "hold"},
		{look, "openat", [6]uint64{3, 0, unix.O_WRONLY | unix.O_NOFOLLOW}, "hold"},
		{look, "openat", [6]uint64{3, 0, unix.O_CREAT | unix.O_NOFOLLOW, 0o644}, "hold"},
		{look, "openat", [6]uint64{3, 0, tmpfile | unix.O_NOFOLLOW}, "hold"},
		{watched, "openat", [6]uint64{3, 0, unix.O_RDONLY | unix.O_NOFOLLOW}, "hold"},
		{look, "newfstatat", [6]uint64{3, 0, 0, unix.AT_EMPTY_PATH | anything}, "allow"}, // most often fstat
		{look, "statx", [6]uint64{3, 0, unix.AT_STATX_DONT_SYNC, unix.AT_EMPTY_PATH}, "hold"},
		{look, "statx", [6]uint64{3, 0, unix.AT_EMPTY_PATH | unix.AT_SYMLINK_NOFOLLOW}, "allow"},
		{look, "access", [6]uint64{}, "hold"},
		{look, "faccessat", [6]uint64{3, 0, 0, unix.AT_EMPTY_PATH}, "hold"}, // the kernel's has no flags
		{look, "faccessat2", [6]uint64{3, 0, 0, unix.AT_EACCESS}, "hold"},
		{look, "faccessat2", [6]uint64{3, 0, 0, unix.AT_EMPTY_PATH}, "allow"},
		{look, "readlink", [6]uint64{}, "hold"},
		{look, "readlinkat", [6]uint64{cwd}, "hold"},
		{look, "readlinkat", [6]uint64{3}, "allow"},
		{look, "chdir", [6]uint64{}, "hold"},
		{look, "statfs", [6]uint64{}, "hold"},
		{look, "inotify_add_watch", [6]uint64{}, "hold"},
		{look, "fanotify_init", [6]uint64{}, "EPERM"},
		{look, "mkdir", [6]uint64{}, "allow"},
		{look, "execve", [6]uint64{}, "allow"},
		{run, "execve", [6]uint64{}, "hold"},
		{run, "execveat", [6]uint64{}, "hold"},
		{send, "sendto", [6]uint64{3, 1, 1, 0, 0, 0}, "allow"},
		{send, "sendto", [6]uint64{3, 1, 1, 0, 0x1000, 16}, "hold"},
		{send, "sendto", [6]uint64{3, 1, 1, 0, 1 << 40, 16}, "hold"},
		{exec, "memfd_create", [6]uint64{0, unix.MFD_CLOEXEC}, "EACCES"},
		{exec, "memfd_create", [6]uint64{0, unix.MFD_CLOEXEC | unix.MFD_NOEXEC_SEAL}, "allow"},
		{death, "prctl", [6]uint64{unix.PR_SET_PDEATHSIG, 0}, "EPERM"},
		{death, "prctl", [6]uint64{unix.PR_SET_PDEATHSIG, 9}, "allow"},
		{death, "prctl", [6]uint64{unix.PR_SET_NAME, 0}, "allow"},
		{seccomp.Options{AllowPtrace: true}, "ptrace", [6]uint64{}, "allow"},
		{seccomp.Options{AllowPtrace: true}, "process_vm_writev", [6]uint64{}, "EPERM"},
		{seccomp.Options{HoldConnect: true}, "connect", [6]uint64{}, "hold"},
		{seccomp.Options{HoldConnect: true}, "listen", [6]uint64{}, "allow"},
		{seccomp.Options{HoldListens: true}, "listen", [6]uint64{}, "hold"},
		{first, "socket", [6]uint64{unix.AF_INET, unix.SOCK_STREAM}, "hold"},
		{first, "socket", [6]uint64{unix.AF_INET6, unix.SOCK_DGRAM | unix.SOCK_CLOEXEC}, "hold"},
		{first, "socket", [6]uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, "hold"},
		{first, "socket", [6]uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_GENERIC}, "EPROTONOSUPPORT"},
		{first, "socket", [6]uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, "EPROTONOSUPPORT"},
		{first, "socket", [6]uint64{unix.AF_PACKET, unix.SOCK_RAW}, "EAFNOSUPPORT"},
		{first, "socket", [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM}, "allow"},
		{first, "ioctl", [6]uint64{3, unix.SIOCGIFCONF}, "hold"},
		{first, "ioctl", [6]uint64{3, 1<<32 | unix.SIOCGIFINDEX}, "hold"},
		{first, "ioctl", [6]uint64{3, unix.TCGETS}, "allow"},
		{first, "ioctl", [6]uint64{0, unix.TIOCSTI}, "EPERM"},
	} {
		for _, arch := range architectures {
			table := seccomp.TableFor(arch, c.options)
			nr, has := table.Number(c.call)
			if !has {
				continue
			}
			program, err := table.Assemble()
			if err != nil {
				t.Fatal(err)
			}
			if got := seccomp.ActionName(newMachine(t, program).run(t, table.Audit(), nr, c.args)); got != c.want {
				t.Errorf("%s %s%#x %+v: %s, want %s", arch, c.call, c.args, c.options, got, c.want)
			}
		}
	}
}
