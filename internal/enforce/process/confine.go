//go:build linux

package process

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// landlockRules allows what pathRules says, and the terminal or files that the
// person redirected.
func (b *builder) landlockRules() {
	for _, r := range pathRules(b.plan.Landlock, b.plan.Leading()) {
		b.allow("allow "+r.what, r.path, r.rights)
	}
	for i, fd := range b.later {
		what := "allow execution of " + b.plan.Landlock.Later[i] + ", once it is shown"
		b.rule(what, namespace.Result(fd), landlock.Execute)
		b.list.Call(what, unix.SYS_CLOSE, namespace.Result(fd))
	}
	for i, fd := range b.stdio {
		if rights := stdioRights(fd, b.plan.Landlock.ABI); rights != 0 {
			b.rule(fmt.Sprintf("allow descriptor %d", i), num(fd), rights)
		}
	}
}

// A pathRule gives rights beneath a path of the view.
type pathRule struct {
	what, path string
	rights     uint64
}

// pathRules gives all file rights beneath the view's root, but execution only
// where the plan says so, ioctl of devices only for terminals and named ones, and
// connecting to sockets of the host only where a grant names them.
//
// The kernel looks for a rule from an object upwards, at each open. So the same
// rights stand at the directories of the view that lead to what is mounted: it
// finds them there, and need not go on to the root.
//
// Security: they are directories of the view's own file system beneath its root,
// so nothing is beneath them that is not beneath the root; behind those of a trap, too,
// there is only what was mounted there. Never at the mounts
// themselves: their directories are the host's, and what is beneath them would
// stay open by a descriptor after its grant was taken away.
func pathRules(l enforce.Landlock, leading []string) (rules []pathRule) {
	everywhere := landlock.AllFS(l.ABI)
	only := func(right uint64, what string, paths ...string) {
		if everywhere&right == 0 {
			return // this version does not know it
		}
		everywhere &^= right
		for _, p := range paths {
			rules = append(rules, pathRule{what + p, p, right})
		}
	}
	only(unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, "requests to ", append([]string{"/dev/pts", "/dev/tty"}, l.Devices...)...)
	only(landlock.Connect, "connecting to ", l.Connect...)
	if l.LimitExecute {
		only(landlock.Execute, "execution of ", l.Execute...)
	}
	for _, p := range append([]string{"/"}, leading...) {
		rules = append(rules, pathRule{"the view at " + p, p, everywhere})
	}
	return rules
}

// stdioRights lets a program open its own standard descriptors by name again
// (/dev/stderr), with no more rights than they have.
func stdioRights(fd, abi int) uint64 {
	var st unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || unix.Fstat(fd, &st) != nil {
		return 0
	}
	var r, w uint64 = unix.LANDLOCK_ACCESS_FS_READ_FILE, unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		r |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
		w |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	case unix.S_IFREG:
		w |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
		if flags&unix.O_APPEND != 0 {
			w = 0 // it may only grow, and a second open could do more
		}
	default:
		return 0
	}
	var rights uint64
	if mode := flags & unix.O_ACCMODE; mode != unix.O_WRONLY {
		rights |= r
	}
	if mode := flags & unix.O_ACCMODE; mode != unix.O_RDONLY {
		rights |= w
	}
	return rights & landlock.AllFS(abi)
}

// openLater opens what Landlock is to know though the view does not have it yet.
func (b *builder) openLater() {
	l := b.list
	for _, p := range b.plan.Landlock.Later {
		fd := l.NewSlot()
		how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
		l.Call("look at "+p, unix.SYS_OPENAT2, namespace.CWD, l.Str(p), namespace.Pointer(l, how), namespace.N(uint64(unix.SizeofOpenHow))).Keep(fd)
		b.later = append(b.later, fd)
	}
}

func (b *builder) allow(what, path string, rights uint64) {
	fd := b.list.NewSlot()
	b.list.Call(what, unix.SYS_OPENAT, namespace.CWD, b.list.Str(path), num(unix.O_PATH|unix.O_CLOEXEC)).Keep(fd)
	b.rule(what, namespace.Result(fd), rights)
	b.list.Call(what, unix.SYS_CLOSE, namespace.Result(fd))
}

func (b *builder) rule(what string, fd namespace.Arg, rights uint64) {
	attr := &struct {
		rights uint64
		fd     uint64 // the kernel reads the low half
	}{rights: rights}
	b.list.Store(what, &attr.fd, fd)
	b.list.Call(what, unix.SYS_LANDLOCK_ADD_RULE, num(b.ruleset), num(landlock.RulePathBeneath), namespace.Pointer(b.list, attr), num(0))
}

// confine enters the Landlock domain and tries it at once.
//
// Security: with the descriptor of the host's root, which a domain that does
// not hold would let through, a directory is opened; only EACCES goes on.
func (b *builder) confine() {
	l := b.list
	l.Call("set no_new_privs", unix.SYS_PRCTL, num(unix.PR_SET_NO_NEW_PRIVS), num(1), num(0), num(0), num(0))
	l.Call("enter the Landlock domain", unix.SYS_LANDLOCK_RESTRICT_SELF, num(b.ruleset), namespace.N(landlock.RestrictFlags(b.plan.Landlock.ABI)))
	l.Call("try Landlock", unix.SYS_OPENAT, num(b.host), l.Str("."), num(unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)).MustFail(unix.EACCES)
}

// filter installs the system call filter, hands its listener to the launcher,
// and tries one refused call that succeeds without it.
func (b *builder) filter() error {
	l := b.list
	o := options(b.plan.Filter)
	rules, err := seccomp.Filter(o)
	if err != nil {
		return fmt.Errorf("make the filter: %w", err)
	}
	program, err := seccomp.Program(rules)
	if err != nil {
		return fmt.Errorf("make the filter: %w", err)
	}
	listener := l.NewSlot()
	l.Call("install the filter", unix.SYS_SECCOMP, num(unix.SECCOMP_SET_MODE_FILTER), namespace.N(o.Flags()), namespace.Pointer(l, &program)).Keep(listener)
	if o.Holds() {
		l.Send("hand over the listener", 3, listener)
		l.Call("hand over the listener", unix.SYS_CLOSE, namespace.Result(listener))
	}
	buf := make([]byte, 8)
	iov := &unix.Iovec{Base: &buf[0], Len: 8}
	arg := namespace.Pointer(l, iov)
	l.Call("try the filter", unix.SYS_PROCESS_VM_READV, num(1), arg, num(1), arg, num(1), num(0)).MustFail(unix.EPERM)
	return nil
}
