//go:build linux

package gvisor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// num is a number as an argument.
func num(n int) namespace.Arg { return namespace.N(n) }

// A builder prepares the row of calls that turns a new process into the agent of
// a sandbox. The order is that of the calls in build.
type builder struct {
	plan enforce.Plan
	list *namespace.List

	parent, child int   // ends of the line between launcher and agent
	answers, asks int   // ends of the line on which the sandbox's kernel asks; -1 where nobody is asked
	stdio         []int // what the program gets: pipes, sockets and terminals only
	proc          int   // the host's /proc
	self          int   // pidfd of the launcher
	runsc         int   // the program of the agent
	procs         []int // cgroup.procs files

	root    namespace.Slot // the outer view's root mount
	trap    namespace.Slot // the root of a view that asks
	nothing namespace.Slot // the file that masks others
	open    []int          // to be closed after the start
}

func newBuilder(p enforce.Plan, runsc string, stdio [3]*os.File) (b *builder, err error) {
	b = &builder{plan: p, list: &namespace.List{}, parent: -1, answers: -1, asks: -1}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	take := func(to *int, what string, open func() (int, error)) {
		if err != nil {
			return
		}
		fd, e := open()
		if e != nil {
			err = fmt.Errorf("%s: %w", what, e)
			return
		}
		b.open = append(b.open, fd)
		*to = fd
		if fd < 16 {
			if *to, err = row.High(fd); err == nil {
				b.open = append(b.open, *to)
			}
		}
	}
	take(&b.proc, "open /proc", func() (int, error) { return unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	take(&b.self, "open the launcher", func() (int, error) { return unix.PidfdOpen(os.Getpid(), 0) })
	take(&b.runsc, "open "+runsc, func() (int, error) { return unix.Open(runsc, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	for i, f := range stdio {
		fd := -1
		take(&fd, fmt.Sprintf("hand over descriptor %d", i), func() (int, error) { return row.High(int(f.Fd())) })
		b.stdio = append(b.stdio, fd)
	}
	if err != nil {
		return b, err
	}
	line := func(what string, ours, theirs *int) {
		pair, e := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
		if e != nil {
			err = fmt.Errorf("%s: %w", what, e)
			return
		}
		*ours = pair[0]
		b.open = append(b.open, pair[1])
		take(theirs, what, func() (int, error) { return row.High(pair[1]) })
	}
	line("make the line to the agent", &b.parent, &b.child)
	if err == nil && p.Trapped() {
		line("make the line on which is asked", &b.answers, &b.asks)
	}
	return b, err
}

// close closes what the launcher needs no longer.
func (b *builder) close() {
	for _, ours := range []*int{&b.parent, &b.answers} {
		if *ours >= 0 {
			b.open = append(b.open, *ours)
			*ours = -1
		}
	}
	for _, fd := range b.open {
		_ = unix.Close(fd) // copies and descriptors that were only read
	}
	b.open = nil
}

// build lays out the row.
//
// Security: as root the mounts are made with root's own rights, so that what
// belongs to others can be granted, and a user namespace is entered afterwards,
// with a mount namespace of its own: what was mounted before cannot be changed
// there any more. Every capability that is left counts in that namespace alone.
func (b *builder) build(spec []byte, flags []string) error {
	l := b.list
	l.Grow(8*len(b.plan.View) + 128)
	b.blockSignals()
	b.closeOthers()
	b.dieWithLauncher()
	b.enterNamespaces()
	l.Call("make mounts private", unix.SYS_MOUNT, l.Str("none"), l.Str("/"), num(0), num(unix.MS_REC|unix.MS_PRIVATE), num(0))
	mask := l.NewSlot()
	l.Call("set umask", unix.SYS_UMASK, num(0)).Keep(mask)
	if b.plan.Trapped() { // sent first: the row itself is about to walk in it
		b.trap = row.Served(b.list, b.child, idsOf(b.plan), "make the trap", 0, "40000")
	}
	// The sentry uses the sockets of this network namespace; neither it nor the
	// program has the link's other end.
	if err := row.MakeLink(b.list, b.plan.Link, b.proc, b.child); err != nil {
		return err
	}
	if err := b.buildView(spec); err != nil {
		return err
	}
	if b.plan.UID == 0 {
		l.Call("enter a user namespace", unix.SYS_UNSHARE, num(unix.CLONE_NEWUSER|unix.CLONE_NEWNS))
		b.mapIDs(l.NewSlot())
	}
	b.dieWithLauncher() // once more: a change of credentials clears it
	l.Call("set no_new_privs", unix.SYS_PRCTL, num(unix.PR_SET_NO_NEW_PRIVS), num(1), num(0), num(0), num(0))
	l.Call("restore umask", unix.SYS_UMASK, namespace.Result(mask))
	for i, fd := range b.stdio {
		l.Call("set up standard descriptors", unix.SYS_DUP3, num(fd), num(i), num(0))
	}
	l.Call("set up the line to the agent", unix.SYS_DUP3, num(b.child), num(wire.Descriptor), num(0))
	if err := b.filter(); err != nil {
		return err
	}
	b.limits()
	l.Call("close other descriptors", unix.SYS_CLOSE_RANGE, num(4), namespace.N(uint64(^uint32(0))), num(unix.CLOSE_RANGE_CLOEXEC))
	if b.asks >= 0 { // past what closes: the agent leaves it to the sandbox's kernel
		l.Call("set up the line on which is asked", unix.SYS_DUP3, num(b.asks), num(wire.Asks), num(0))
	}
	b.unblockSignals()
	l.Exec(b.runsc, append([]string{"ambit-runsc"}, flags...), []string{"GOTRACEBACK=none"})
	return nil
}

// closeOthers closes every descriptor of the launcher but those that the row
// needs: the new process may outlive a lock or a pipe's last writer otherwise.
func (b *builder) closeOthers() {
	keep := slices.Concat([]int{2, b.proc, b.self, b.runsc, b.child}, b.stdio, b.procs)
	if b.asks >= 0 {
		keep = append(keep, b.asks)
	}
	b.closeAllBut(keep...)
}

// closeAllBut closes every descriptor above the smallest of some but these.
func (b *builder) closeAllBut(keep ...int) {
	slices.Sort(keep)
	for i, fd := range keep {
		last := uint64(^uint32(0))
		if i+1 < len(keep) {
			last = uint64(keep[i+1] - 1)
		}
		if first := uint64(fd + 1); first <= last {
			b.list.Call("leave the launcher's descriptors", unix.SYS_CLOSE_RANGE, namespace.N(first), namespace.N(last), num(0))
		}
	}
}

func (b *builder) blockSignals() {
	all := &unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	b.list.Call("block signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), namespace.Pointer(b.list, all), num(0), num(8))
}

// unblockSignals: the agent is no init of ours that would do it, and what it
// starts inherits its mask.
func (b *builder) unblockSignals() {
	b.list.Call("unblock signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), namespace.Pointer(b.list, &unix.Sigset_t{}), num(0), num(8))
}

// dieWithLauncher has the kernel kill the agent when the launcher's thread dies,
// and refuses the start when it is dead already.
//
// Security: between clone and the prctl a dead launcher goes unnoticed; the
// poll of its pidfd closes that gap.
func (b *builder) dieWithLauncher() {
	l := b.list
	l.Call("bind the sandbox's life to the launcher", unix.SYS_PRCTL, num(unix.PR_SET_PDEATHSIG), num(int(unix.SIGKILL)))
	fd := &unix.PollFd{Fd: int32(b.self), Events: unix.POLLIN}
	zero := &unix.Timespec{}
	l.Call("see that the launcher lives", unix.SYS_PPOLL, namespace.Pointer(l, fd), num(1), namespace.Pointer(l, zero), num(0), num(0)).MustYield(0)
}

func (b *builder) enterNamespaces() {
	l, p := b.list, b.plan
	l.Flags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if p.UID != 0 {
		l.Flags |= unix.CLONE_NEWUSER
		b.mapIDs(-1)
	}
	for _, fd := range b.procs {
		l.Call("join the control group", unix.SYS_WRITE, num(fd), l.Str("0"), num(1)).MustYield(1)
	}
	l.Call("enter a cgroup namespace", unix.SYS_UNSHARE, num(unix.CLONE_NEWCGROUP))
	b.boundPIDs()
	l.Call("set the host name", unix.SYS_SETHOSTNAME, l.Str(p.Hostname), num(len(p.Hostname)))
	b.loopback()
}

// ownPIDs is how many processes and threads the sandbox's own kernel may have
// beside those of the program.
const ownPIDs = 512

// boundPIDs sets the highest process id of the outer pid namespace: all that runs
// for the sandbox, its kernel included.
func (b *builder) boundPIDs() {
	if b.plan.Limits.PIDMax == 0 {
		return
	}
	l := b.list
	const what = "bound the processes of the pid namespace"
	text := strconv.FormatInt(b.plan.Limits.PIDMax+ownPIDs, 10) + "\n"
	l.WriteFile(what, num(b.proc), "sys/kernel/pid_max", text)
	fd, got := l.NewSlot(), make([]byte, len(text))
	l.Call(what, unix.SYS_OPENAT, num(b.proc), l.Str("sys/kernel/pid_max"), num(unix.O_RDONLY|unix.O_CLOEXEC)).Keep(fd)
	l.Call(what, unix.SYS_READ, namespace.Result(fd), l.Bytes(got), num(len(got)))
	l.Equal(what, got, []byte(text))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(fd))
}

// mapIDs maps root of the new user namespace onto this user, and no other. proc
// is where to look for /proc: negative: the host's is still there.
func (b *builder) mapIDs(own namespace.Slot) {
	l, p := b.list, b.plan
	proc := num(b.proc)
	if own >= 0 { // the host's tree was left
		l.Call("look at /proc", unix.SYS_OPENAT, namespace.CWD, l.Str("/proc"), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC)).Keep(own)
		proc = namespace.Result(own)
	}
	l.WriteFile("deny setgroups", proc, "self/setgroups", "deny")
	l.WriteFile("map the user", proc, "self/uid_map", fmt.Sprintf("0 %d 1\n", p.UID))
	l.WriteFile("map the group", proc, "self/gid_map", fmt.Sprintf("0 %d 1\n", p.GID))
}

// loopback brings up lo of the outer network namespace: with a link, programs
// talk to themselves over it.
func (b *builder) loopback() {
	l := b.list
	fd := l.NewSlot()
	ifreq := &struct {
		name  [unix.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: unix.IFF_UP | unix.IFF_RUNNING}
	copy(ifreq.name[:], "lo")
	const what = "bring up the loopback interface"
	l.Call(what, unix.SYS_SOCKET, num(unix.AF_INET), num(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), num(0)).Keep(fd)
	l.Call(what, unix.SYS_IOCTL, namespace.Result(fd), num(unix.SIOCSIFFLAGS), namespace.Pointer(l, ifreq))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(fd))
}

// filter installs the filter around the sandbox's kernel and tries one refused
// call that succeeds without it: the outer root is this user's own.
func (b *builder) filter() error {
	l := b.list
	rules, err := seccomp.Around()
	if err != nil {
		return fmt.Errorf("make the filter: %w", err)
	}
	program, err := seccomp.Program(rules)
	if err != nil {
		return fmt.Errorf("make the filter: %w", err)
	}
	l.Call("install the filter", unix.SYS_SECCOMP, num(unix.SECCOMP_SET_MODE_FILTER), num(0), namespace.Pointer(l, &program))
	l.Call("try the filter", unix.SYS_FCHMODAT, namespace.CWD, l.Str("/run"), num(unix.S_ISUID|0o755)).MustFail(unix.EPERM)
	return nil
}

// limits sets the resource limits of agent and sentry. Those of the program are
// the sentry's to keep, and stand in the spec. One byte of core, not zero: the
// kernel then starts no handler on the host either (core(5)).
func (b *builder) limits() {
	b.limit("core dumps", unix.RLIMIT_CORE, 1, 1)
	hard := inherited(unix.RLIMIT_NOFILE)
	b.limit("open files", unix.RLIMIT_NOFILE, hard, hard)
}

func (b *builder) limit(name string, resource int, soft, hard uint64) {
	l := b.list
	l.Call("set the limit of "+name, unix.SYS_PRLIMIT64, num(0), num(resource), namespace.Pointer(l, &unix.Rlimit{Cur: soft, Max: hard}), num(0))
}

func inherited(resource int) uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(resource, &l) != nil {
		return unix.RLIM_INFINITY
	}
	return l.Max
}

// explain adds what a person can do about the failures that hosts cause.
func explain(err error) error {
	step, ok := errors.AsType[*namespace.StepError](err)
	switch {
	case !ok && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS)):
		return fmt.Errorf("%w: this host does not let this user make namespaces; `ambit doctor` says what forbids it and how to change that", err)
	case ok && step.What == stepProc && errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: this host hides parts of /proc (as containers do), so a fresh one is refused; run `ambit doctor`", err)
	}
	return err
}
