package seccomp

import (
	"strings"

	"golang.org/x/sys/unix"
)

// namespaces are the flags of clone that make one. CLONE_NEWTIME shares its bit
// with the exit signal, so only unshare and clone3 know it.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

const (
	changeID  = unix.S_ISUID | unix.S_ISGID
	creates   = unix.O_CREAT | unix.O_TMPFILE&^unix.O_DIRECTORY // either makes open use its mode
	typeMask  = 0xf                                             // SOCK_TYPE_MASK (linux/net.h); flags lie above
	addrNoRnd = 0x40000                                         // ADDR_NO_RANDOMIZE (linux/personality.h)
	query     = 0xffffffff                                      // personality(2): report and change nothing
	ioGroup   = 2                                               // IOPRIO_WHO_PGRP (linux/ioprio.h)
)

// rules returns the table for o: refusals first, so that of two rules for one
// call a refusal decides.
func rules(o Options) []rule {
	rs := refusals()
	if !o.AllowPtrace {
		rs = append(rs, always(eperm, whyOthers, "ptrace")...)
	}
	if o.LimitExec {
		rs = append(rs, rule{"memfd_create", refuse(unix.EACCES), "a memory file can be executed, and no mount says that it may not",
			"without MFD_NOEXEC_SEAL", []test{lacks(1, unix.MFD_NOEXEC_SEAL)}})
	}
	if o.KeepDeathSignal {
		rs = append(rs, rule{"prctl", eperm, "a program that clears its death signal outlives its supervisor",
			"PR_SET_PDEATHSIG other than SIGKILL", []test{is(0, unix.PR_SET_PDEATHSIG), isNot(1, uint32(unix.SIGKILL))}})
	}
	if o.NoGroupSignal {
		rs = append(rs, rule{"kill", eperm, whyGroup, "of process 0, the own group", []test{is(0, 0)}},
			rule{"pidfd_send_signal", eperm, whyGroup, "with flags, such as that of a group", []test{has(3, whole)}})
	}
	return append(rs, holds(o)...)
}

// always makes one rule without conditions for each call.
func always(act action, why string, calls ...string) []rule {
	rs := make([]rule, 0, len(calls))
	for _, c := range calls {
		rs = append(rs, rule{call: c, act: act, why: why})
	}
	return rs
}

var (
	eperm  = refuse(unix.EPERM)
	enosys = refuse(unix.ENOSYS)
)

const (
	whyView      = "the view is the boundary; nothing inside may change it"
	whyGroup     = "the own process group may have processes outside"
	whyHandle    = "reaches or watches files without a path"
	whyOthers    = "memory and descriptors of other processes"
	whyRing      = "does what calls do without being a call"
	whySurface   = "kernel surface that no sandboxed program needs"
	whyKeys      = "keyrings belong to the user, not to a namespace"
	whyHost      = "changes the host; needs privilege that a sandbox does not have"
	whyNamespace = "a new namespace opens most of the kernel's attack surface and gives back capabilities"
	whyInMemory  = "its arguments lie in memory; programs fall back to the older call"
	whyLeft      = "a file left in a writable grant that runs as this user or group for others"
	whyFamily    = "belongs to no network namespace, or is kernel surface"
	whyProtocol  = "passes rules that are made for TCP and UDP"
)

// refusals hold whatever was granted.
func refusals() []rule {
	rs := make([]rule, 0, 128)
	add := func(more ...rule) { rs = append(rs, more...) }

	add(rule{"clone", eperm, whyNamespace, "with a new namespace", []test{has(0, namespaces)}},
		rule{"unshare", eperm, whyNamespace, "with a new namespace", []test{has(0, namespaces|unix.CLONE_NEWTIME)}})
	add(always(eperm, whyNamespace, "setns")...)
	add(always(enosys, whyInMemory, "clone3", "openat2")...)
	add(always(eperm, whyView, "mount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick",
		"open_tree", "open_tree_attr", "move_mount", "mount_setattr")...)
	add(always(eperm, whyHandle, "open_by_handle_at", "name_to_handle_at", "fanotify_init")...)
	add(always(eperm, "tells about any file system of the host by its device number", "ustat")...)
	add(always(eperm, whyOthers, "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp")...)
	add(always(eperm, whyRing, "io_uring_setup", "io_uring_enter", "io_uring_register")...)
	// userfaultfd also stretches any race in the kernel for as long as one likes.
	add(always(eperm, whySurface, "bpf", "perf_event_open", "userfaultfd")...)
	add(always(eperm, whyKeys, "keyctl", "add_key", "request_key")...)
	add(always(eperm, whyHost, "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot",
		"swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "settimeofday", "clock_settime", "iopl", "ioperm",
		"modify_ldt", "lookup_dcookie", "vhangup")...)
	// Readable by everybody where kernel.dmesg_restrict is 0.
	add(always(eperm, "the kernel's log", "syslog")...)
	add(rule{"setpriority", eperm, whyGroup, "of group 0, the own", []test{is(0, unix.PRIO_PGRP), is(1, 0)}},
		rule{"ioprio_set", eperm, whyGroup, "of group 0, the own", []test{is(0, ioGroup), is(1, 0)}})
	add(rule{"personality", eperm, "READ_IMPLIES_EXEC and the like weaken what the program runs",
		"other than 0, ADDR_NO_RANDOMIZE and the query", []test{isNot(0, 0, addrNoRnd, query)}})
	// The kernel takes the request as unsigned int, so the low half is all of it.
	add(rule{"ioctl", eperm, "types into the user's terminal, or loads line disciplines",
		"TIOCSTI, TIOCLINUX, TIOCSETD", []test{is(1, unix.TIOCSTI, unix.TIOCLINUX, unix.TIOCSETD)}})
	add(sockets()...)
	add(modes()...)
	return rs
}

func sockets() []rule {
	internet := is(0, unix.AF_INET, unix.AF_INET6)
	return []rule{
		{"socket", refuse(unix.EAFNOSUPPORT), whyFamily, "family other than UNIX, INET, INET6, NETLINK",
			[]test{isNot(0, unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)}},
		// Protocol 0 means the type's own: with SOCK_SEQPACKET that is SCTP, and
		// SOCK_PACKET turns the family into AF_PACKET (net/socket.c).
		{"socket", refuse(unix.ESOCKTNOSUPPORT), whyProtocol, "INET, INET6 of a type other than STREAM, DGRAM, RAW",
			[]test{internet, isNot(1, unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW).under(typeMask)}},
		{"socket", refuse(unix.EPROTONOSUPPORT), whyProtocol, "INET, INET6 with a protocol other than 0, TCP, UDP, ICMP, ICMPv6",
			[]test{internet, isNot(2, 0, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6)}},
		{"socket", refuse(unix.EPROTONOSUPPORT), "programs list interfaces and need no more of the kernel", "NETLINK other than ROUTE",
			[]test{is(0, unix.AF_NETLINK), isNot(2, unix.NETLINK_ROUTE)}},
		// The kernel makes both sockets before it finds that a family has no
		// pairs, and TIPC has them; only unix pairs are of use.
		{"socketpair", refuse(unix.EAFNOSUPPORT), whyFamily, "family other than UNIX", []test{isNot(0, unix.AF_UNIX)}},
	}
}

// modes refuse to set the bits that make a file run as somebody else. A mode
// is 16 bits wide wherever it is passed.
func modes() []rule {
	const when = "mode with S_ISUID or S_ISGID"
	var rs []rule
	for _, c := range []struct {
		call string
		mode int // its argument
	}{
		{"chmod", 1}, {"fchmod", 1}, {"fchmodat", 2}, {"fchmodat2", 2},
		{"mknod", 1}, {"mknodat", 2}, {"mkdir", 1}, {"mkdirat", 2}, {"creat", 1},
	} {
		rs = append(rs, rule{c.call, eperm, whyLeft, when, []test{has(c.mode, changeID)}})
	}
	for _, c := range []struct {
		call        string
		flags, mode int
	}{{"open", 1, 2}, {"openat", 2, 3}} {
		rs = append(rs, rule{c.call, eperm, whyLeft, "creating, " + when, []test{has(c.flags, creates), has(c.mode, changeID)}})
	}
	return rs
}

// holds are the calls that wait for an answer.
func holds(o Options) []rule {
	const (
		whySpawn   = "to start another program is a right of its own"
		whyConnect = "unix sockets by path are files that no other layer sees being asked for"
		whyOpen    = "refusals can be told"
	)
	var rs []rule
	if o.NoSpawn {
		rs = append(rs, always(hold, whySpawn, "execve", "execveat", "fork", "vfork")...)
		rs = append(rs, rule{"clone", hold, whySpawn, "of a process, not a thread", []test{lacks(0, unix.CLONE_THREAD)}})
	}
	if o.HoldOpen {
		rs = append(rs, always(hold, whyOpen, "open", "openat", "creat")...)
	}
	if o.HoldLooks {
		rs = append(rs, looks(o)...)
	}
	switch {
	case o.NoSpawn:
	case o.HoldOpen, o.HoldRuns && o.HoldLooks:
		rs = append(rs, always(hold, whyOpen, "execve", "execveat")...)
	case o.HoldRuns:
		// What is executed by its descriptor has no name to ask about; init starts the
		// first program so, which was granted.
		rs = append(rs, rule{"execve", hold, whyOpen, "", nil},
			rule{"execveat", hold, whyOpen, "without AT_EMPTY_PATH", []test{lacks(4, unix.AT_EMPTY_PATH)}})
	}
	if o.HoldChanges {
		rs = append(rs, changes(o)...)
	}
	if o.HoldListens {
		rs = append(rs, always(hold, "whether a port can be reached from outside can be asked about", "listen")...)
	}
	if o.HoldSockets {
		rs = append(rs, firstSockets()...)
	}
	if o.HoldConnect {
		rs = append(rs, always(hold, whyConnect, "connect")...)
	}
	if o.HoldSendto {
		const when = "with an address"
		rs = append(rs,
			rule{"sendto", hold, whyConnect, when, []test{has(4, whole)}},
			rule{"sendto", hold, whyConnect, when, []test{has(4, whole).upper()}})
	}
	return rs
}

// firstSockets are held where the network's link is made when the first program
// wants to know of it. A socket of another family can be asked for interfaces all the
// same (netdevice(7)); the kernel takes the request as unsigned int.
func firstSockets() []rule {
	const why = "the link is made before anybody can see that there is none"
	return []rule{
		{"socket", hold, why, "INET, INET6, NETLINK", []test{is(0, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)}},
		{"ioctl", hold, why, "that tells of interfaces", []test{is(1, unix.SIOCGIFNAME, unix.SIOCGIFCONF, unix.SIOCGIFFLAGS, unix.SIOCGIFADDR, unix.SIOCGIFDSTADDR,
			unix.SIOCGIFBRDADDR, unix.SIOCGIFNETMASK, unix.SIOCGIFMETRIC, unix.SIOCGIFMTU, unix.SIOCGIFHWADDR, unix.SIOCGIFINDEX, unix.SIOCGIFTXQLEN, unix.SIOCGIFMAP, unix.SIOCETHTOOL)}},
	}
}

// looks are held where the view has nothing that hears of them: what is absent
// in it may be on the host. Held once, a call is held for ever, also for what was
// granted.
//
// Two kinds of look are frequent and let through. With AT_EMPTY_PATH most programs
// (fstat(3) of glibc) look at a descriptor and pass no path. And who walks a tree
// (find, tar, grep -r) looks into a directory that it has open, by names that it
// has listed, and follows no link: what the view shows of a directory is listed,
// so such a name is there. A name that is not is found nowhere, and not asked
// about.
func looks(o Options) []rule {
	const (
		why    = "what the view has not can be asked about"
		when   = "without AT_EMPTY_PATH"
		from   = ", from the working directory"
		follow = ", from an open directory, following links"
	)
	cwd, open := is(0, atCWD), isNot(0, atCWD)
	rs := always(hold, why, "stat", "lstat", "access", "faccessat", "readlink", "chdir", "statfs", "inotify_add_watch")
	rs = append(rs, rule{"readlinkat", hold, why, strings.TrimPrefix(from, ", "), []test{cwd}})
	for _, c := range []struct {
		call  string
		flags int // its argument
	}{{"newfstatat", 3}, {"statx", 2}, {"faccessat2", 3}} {
		named := lacks(c.flags, unix.AT_EMPTY_PATH)
		rs = append(rs,
			rule{c.call, hold, why, when + from, []test{named, cwd}},
			rule{c.call, hold, why, when + follow, []test{named, open, lacks(c.flags, unix.AT_SYMLINK_NOFOLLOW)}})
	}
	if !o.HoldOpen {
		rs = append(rs, always(hold, why, "open", "creat")...)
		rs = append(rs,
			rule{"openat", hold, why, strings.TrimPrefix(from, ", "), []test{cwd}},
			rule{"openat", hold, why, strings.TrimPrefix(follow, ", "), []test{open, lacks(2, unix.O_NOFOLLOW)}},
			rule{"openat", hold, why, "for more than reading", []test{open, has(2, changing)}})
	}
	return rs
}

// atCWD is AT_FDCWD as the kernel compares it, an int.
const atCWD = 0xffffff9c

// changing are the flags of an open that is for more than reading what is there.
// O_TMPFILE is two bits, of which one is O_DIRECTORY.
const changing = unix.O_WRONLY | unix.O_RDWR | unix.O_CREAT | unix.O_TRUNC | unix.O_TMPFILE&^unix.O_DIRECTORY | unix.O_PATH

// changes are held before the kernel locks a directory: when the file system is
// asked it is too late to mount anything there. A descriptor that was opened as
// a path only, before its object was there, would never lead to it.
func changes(o Options) []rule {
	const (
		why  = "it can be asked about while no directory is locked"
		when = "for writing, creating, truncating or as a path only"
	)
	var rs []rule
	if !o.HoldOpen && !o.HoldLooks {
		rs = append(rs,
			rule{"open", hold, why, when, []test{has(1, changing)}},
			rule{"openat", hold, why, when, []test{has(2, changing)}})
		rs = append(rs, always(hold, why, "creat")...)
	}
	if !o.HoldLooks {
		rs = append(rs, mays()...)
	}
	return append(rs, always(hold, why,
		"mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat",
		"unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
		"truncate", "chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat",
		"utime", "utimes", "futimesat", "utimensat",
		"setxattr", "lsetxattr", "setxattrat", "removexattr", "lremovexattr", "removexattrat", "file_setattr")...)
}

// mays are held because a program that is told that it may not does not try, and
// then nobody is asked.
func mays() (rs []rule) {
	for _, c := range []struct {
		call string
		mode int // its argument
	}{{"access", 1}, {"faccessat", 2}, {"faccessat2", 2}} {
		rs = append(rs, rule{c.call, hold, "who is told no asks for nothing", "for writing or executing", []test{has(c.mode, unix.W_OK|unix.X_OK)}})
	}
	return rs
}
