//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// Names of steps that explain looks for.
const stepProc = "mount a fresh /proc"

// num is a number as an argument.
func num(n int) namespace.Arg { return namespace.N(n) }

// A builder prepares the row of calls that turns a new process into the
// sandbox's init. The order is that of the calls in first and rest.
type builder struct {
	plan  enforce.Plan
	list  *namespace.List
	ahead *ahead // nil: nothing of the view is made yet
	whole bool   // the view is what stood, and more in it

	parent, child int              // ends of the line between launcher and init
	stdio         []int            // copies
	null          []int            // where not negative: it is /dev/null, opened with these flags
	files         []*enforce.Entry // where not nil: it is a file that is only read, to be opened anew
	host, proc    int              // the host's / and /proc
	self          int              // pidfd of the launcher
	init, ruleset int
	procs         []int // cgroup.procs files

	root  namespace.Slot   // the view's root mount
	later []namespace.Slot // what Landlock.Later names
	mask  namespace.Slot   // the launcher's umask
	open  []int            // to be closed after the start
}

func newBuilder(p enforce.Plan, io enforce.Stdio) (b *builder, err error) {
	b = &builder{plan: p, list: &namespace.List{}, parent: -1}
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
	take(&b.host, "open /", func() (int, error) { return unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	take(&b.proc, "open /proc", func() (int, error) { return unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	take(&b.self, "open the launcher", func() (int, error) { return unix.PidfdOpen(os.Getpid(), 0) })
	take(&b.init, "open the init program", namespace.OpenInit)
	take(&b.ruleset, "open a ruleset", func() (int, error) { return rulesetFor(p) })
	for i, f := range []*os.File{io.In, io.Out, io.Err} {
		var h handed
		take(&h.fd, fmt.Sprintf("hand over descriptor %d", i), func() (_ int, err error) { h, err = handOver(f); return h.fd, err })
		b.stdio, b.null, b.files = append(b.stdio, h.fd), append(b.null, h.null), append(b.files, h.file)
	}
	if err != nil {
		return b, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return b, fmt.Errorf("make the line to init: %w", err)
	}
	b.parent = pair[0]
	b.open = append(b.open, pair[1])
	take(&b.child, "make the line to init", func() (int, error) { return row.High(pair[1]) })
	return b, err
}

// close closes what the launcher needs no longer.
func (b *builder) close() {
	if b.parent >= 0 {
		b.open = append(b.open, b.parent)
		b.parent = -1
	}
	for _, fd := range b.open {
		_ = unix.Close(fd) // copies and O_PATH descriptors: nothing can be lost
	}
	b.open = nil
}

// user reports whether the plan has a user namespace.
func (b *builder) user() bool { return slices.Contains(b.plan.Namespaces, "user") }

// first lays out what is the same for every plan of this host, and waits then
// for one byte on the line: the rest of the row is ready.
func (b *builder) first() error {
	l := b.list
	blockSignals(l)
	b.closeOthers()
	b.dieWithLauncher()
	if err := b.enterNamespaces(); err != nil {
		return err
	}
	l.Call("make mounts private", unix.SYS_MOUNT, l.Str("none"), l.Str("/"), num(0), num(unix.MS_REC|unix.MS_PRIVATE), num(0))
	b.await("wait for the plan")
	return nil
}

// await waits for one byte on the line.
func (b *builder) await(what string) {
	b.list.Call(what, unix.SYS_READ, num(b.child), b.list.Bytes(make([]byte, 1)), num(1)).MustYield(1)
}

// setMask has modes be as they are said, and answers where the launcher's mask is.
func (b *builder) setMask() namespace.Slot {
	if b.ahead != nil {
		return b.list.Take(b.ahead.list, b.ahead.mask)
	}
	mask := b.list.NewSlot()
	b.list.Call("set umask", unix.SYS_UMASK, num(0)).Keep(mask)
	return mask
}

// closeOthers closes every descriptor of the launcher but those that the row
// needs. The process waits for the launcher, so what the launcher has open must
// not stay open by it: a file whose lock (flock(2)) is given up by closing it
// would stay locked, and the launcher wait for that; its own end of the line
// would never close.
func (b *builder) closeOthers() {
	closeAllBut(b.list, slices.Concat([]int{2, b.host, b.proc, b.self, b.init, b.ruleset, b.child}, b.stdio, b.procs))
}

// closeAllBut closes every descriptor above the lowest of keep that is not of keep.
func closeAllBut(l *namespace.List, keep []int) {
	slices.Sort(keep)
	for i, fd := range keep {
		last := uint64(^uint32(0))
		if i+1 < len(keep) {
			last = uint64(keep[i+1] - 1)
		}
		if first := uint64(fd + 1); first <= last {
			l.Call("leave the launcher's descriptors", unix.SYS_CLOSE_RANGE, namespace.N(first), namespace.N(last), num(0))
		}
	}
}

func blockSignals(l *namespace.List) {
	all := &unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	l.Call("block signals", unix.SYS_RT_SIGPROCMASK, num(unix.SIG_SETMASK), namespace.Pointer(l, all), num(0), num(8))
}

// rest lays out what the plan says, from the view to the program's init.
func (b *builder) rest() error {
	l := b.list
	l.Grow(8*len(b.plan.View) + 128)
	b.mask = b.setMask()
	b.fetch()
	b.openAnew() // before the host's tree is left
	if err := b.reachOut(); err != nil {
		return err
	}
	b.openLater()
	if err := b.buildView(); err != nil {
		return err
	}
	if b.user() && b.plan.UID == 0 {
		// Root mounts with its own rights, so that it can grant what belongs to
		// others, and enters its user namespace afterwards.
		l.Call("enter a user namespace", unix.SYS_UNSHARE, num(unix.CLONE_NEWUSER))
		b.mapIDs()
	}
	b.landlockRules()
	b.dropCapabilities()
	b.dieWithLauncher() // once more: a change of credentials clears it
	b.confine()
	l.Call("enter the working directory", unix.SYS_CHDIR, l.Str(b.plan.Program.Dir))
	l.Call("restore umask", unix.SYS_UMASK, namespace.Result(b.mask))
	for i, fd := range b.stdio {
		b.standard(i, fd)
	}
	l.Call("set up the line to init", unix.SYS_DUP3, num(b.child), num(3), num(0))
	if err := b.filter(); err != nil {
		return err
	}
	b.limits() // last: a small number of open files would stop the row itself
	l.Call("close other descriptors", unix.SYS_CLOSE_RANGE, num(4), namespace.N(uint64(^uint32(0))), num(unix.CLOSE_RANGE_CLOEXEC))
	argv := append([]string{"ambit-init", b.plan.Program.Path}, b.plan.Program.Argv...)
	l.Exec(b.init, argv, b.plan.Program.Env)
	return nil
}

// reachOut makes what the launcher answers from outside, and sends it there in the
// order in which it is taken: the trap, which the row itself is about to walk in,
// and the link.
func (b *builder) reachOut() error {
	if b.plan.Trapped() {
		made, ok := b.ahead.trapped(b.list)
		if !ok {
			made = b.trapMount()
		}
		b.root = made
	}
	if b.ahead != nil && b.ahead.link != nil {
		return nil // sent already
	}
	return row.MakeLink(b.list, b.plan.LinkAtStart(), b.proc, b.child)
}

// standard puts a descriptor at its number. /dev/null is the view's own.
func (b *builder) standard(i, fd int) {
	const what = "set up standard descriptors"
	l := b.list
	if b.null[i] < 0 {
		l.Call(what, unix.SYS_DUP3, num(fd), num(i), num(0))
		return
	}
	own := l.NewSlot()
	l.Call(what, unix.SYS_OPENAT, namespace.CWD, l.Str(os.DevNull), num(b.null[i])).Keep(own)
	l.Call(what, unix.SYS_DUP3, namespace.Result(own), num(i), num(0))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(own))
}

// dieWithLauncher has the kernel kill this process when the launcher's thread
// dies, and refuses the start when it is dead already.
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

var cloneFlags = map[string]uintptr{
	"user": unix.CLONE_NEWUSER, "mount": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "net": unix.CLONE_NEWNET,
	"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": 0, // unshared below, after joining a group
}

func (b *builder) enterNamespaces() error {
	l, p := b.list, b.plan
	for _, name := range p.Namespaces {
		flag, ok := cloneFlags[name]
		if !ok {
			return fmt.Errorf("internal error: namespace %q", name)
		}
		if name == "user" && p.UID == 0 {
			continue
		}
		l.Flags |= flag
	}
	if b.user() && p.UID != 0 {
		b.mapIDs()
	}
	for _, fd := range b.procs {
		l.Call("join the control group", unix.SYS_WRITE, num(fd), l.Str("0"), num(1)).MustYield(1)
	}
	l.Call("enter a cgroup namespace", unix.SYS_UNSHARE, num(unix.CLONE_NEWCGROUP))
	b.boundPIDs()
	l.Call("set the host name", unix.SYS_SETHOSTNAME, l.Str(p.Hostname), num(len(p.Hostname)))
	b.loopback()
	return nil
}

// boundPIDs sets the highest process id of the new pid namespace, and with it
// the number of processes. The file is that of the caller's namespace, whatever
// /proc it is opened in (pid_namespace(7)).
func (b *builder) boundPIDs() {
	if b.plan.Limits.PIDMax == 0 {
		return
	}
	l := b.list
	const what = "bound the processes of the pid namespace"
	text := strconv.FormatInt(b.plan.Limits.PIDMax, 10) + "\n"
	b.list.WriteFile(what, num(b.proc), "sys/kernel/pid_max", text)
	fd, got := l.NewSlot(), make([]byte, len(text))
	l.Call(what, unix.SYS_OPENAT, num(b.proc), l.Str("sys/kernel/pid_max"), num(unix.O_RDONLY|unix.O_CLOEXEC)).Keep(fd)
	l.Call(what, unix.SYS_READ, namespace.Result(fd), l.Bytes(got), num(len(got)))
	l.Equal(what, got, []byte(text))
	l.Call(what, unix.SYS_CLOSE, namespace.Result(fd))
}

// mapIDs maps the user and the group onto themselves, and no other.
func (b *builder) mapIDs() {
	p := b.plan
	b.list.WriteFile("deny setgroups", num(b.proc), "self/setgroups", "deny")
	b.list.WriteFile("map the user", num(b.proc), "self/uid_map", fmt.Sprintf("%d %d 1\n", p.UID, p.UID))
	b.list.WriteFile("map the group", num(b.proc), "self/gid_map", fmt.Sprintf("%d %d 1\n", p.GID, p.GID))
}

// loopback brings up lo: programs talk to themselves over it.
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

// dropCapabilities leaves none, nor a way to one by execve as uid 0.
func (b *builder) dropCapabilities() {
	l := b.list
	// SECBIT_NOROOT, _NO_SETUID_FIXUP, _NO_CAP_AMBIENT_RAISE with their locks,
	// and the lock of _KEEP_CAPS (capabilities(7)).
	const bits = 0xef
	l.Call("lock the secure bits", unix.SYS_PRCTL, num(unix.PR_SET_SECUREBITS), num(bits))
	for c := range lastCapability() + 1 {
		l.Call("drop the bounding set", unix.SYS_PRCTL, num(unix.PR_CAPBSET_DROP), num(c))
	}
	hdr := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := &[2]unix.CapUserData{}
	l.Call("drop all capabilities", unix.SYS_CAPSET, namespace.Pointer(l, hdr), namespace.Pointer(l, data))
}

// lastCapability is the highest capability that this kernel knows.
func lastCapability() int {
	known := func(c int) bool {
		_, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		return err == nil
	}
	last := unix.CAP_LAST_CAP
	for ; known(last + 1); last++ {
	}
	for ; !known(last) && last > 0; last-- {
	}
	return last
}

// limits sets the resource limits.
func (b *builder) limits() {
	l := b.list
	for _, r := range resourceLimits(b.plan.Limits) {
		l.Call("set the limit of "+r.name, unix.SYS_PRLIMIT64, num(0), num(r.resource), namespace.Pointer(l, &unix.Rlimit{Cur: r.soft, Max: r.hard}), num(0))
	}
}

var errNoInit = errors.New("the sandbox's init ended without a word")
