package process

import (
	"net/netip"
	"os"
	"slices"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// What reads the host is told where to look, so that tests can lay it out.

func ViewHolds(dir string, view []enforce.Entry) error { return viewHolds(dir, view) }
func OnlyLoopback(dir string) error                    { return onlyLoopback(dir) }
func OnlyStandard(dir string) error                    { return onlyStandard(dir) }
func Asks(dir string, p enforce.Plan, hears bool) (string, error) {
	return asks(dir, p, hears)
}
func OwnNamespaces() map[string]string { return ownNamespaces() }

// OtherNamespaces is why each of these namespaces does not hold; "" where it does.
func OtherNamespaces(dir string, names []string, outside map[string]string) ([]string, error) {
	var why []string
	err := otherNamespaces(dir, names, outside, func(_, _ string, err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		why = append(why, text)
	})
	return why, err
}
func Unescape(s string) string { return enforce.Unescape(s) }

func StatusHolds(dir string) (capabilities, filter error) {
	s, err := readStatus(dir)
	if err != nil {
		return err, err
	}
	return s.noCapabilities(), s.want("Seccomp", "2")
}

type Limit struct {
	Resource   int
	Soft, Hard uint64
}

func ResourceLimits(p enforce.LimitPlan) map[string]Limit {
	m := map[string]Limit{}
	for _, l := range resourceLimits(p) {
		m[l.name] = Limit{l.resource, l.soft, l.hard}
	}
	return m
}

func Destination(raw []byte) (netip.AddrPort, bool) { return destination(raw) }
func StdioRights(fd, abi int) uint64                { return stdioRights(fd, abi) }

// PathRules are the rules of a domain: rights by path.
func PathRules(l enforce.Landlock, leading []string) map[string]uint64 {
	rights := map[string]uint64{}
	for _, r := range pathRules(l, leading) {
		rights[r.path] |= r.rights
	}
	return rights
}

func HandOver(f *os.File) (fd, null int, anew bool, err error) {
	h, err := handOver(f)
	return h.fd, h.null, h.file != nil, err
}
func Explain(err error) error                                  { return explain(err) }
func Absolute(n seccomp.Notification, p string) (string, bool) { return absolute(n, p) }
func Arguments(cmdline []byte) []string                        { return arguments(cmdline) }
func PathArgument(n seccomp.Notification) uint64               { return pathArgument(n) }

// Names is the skeleton of a plan's view.
type Names struct{ s *skeleton }

func NewNames(p enforce.Plan) Names                { return Names{newSkeleton(p)} }
func (n Names) Missing(p string) ([]string, error) { return n.s.missing(p) }
func (n Names) Mounted(p string)                   { n.s.mounted(p) }
func (n Names) Link(p, target string)              { n.s.target(enforce.Link{Path: p, Target: target}) }
func (n Names) Unmounted(p string, mounted ...string) []string {
	return n.s.unmounted(p, func(q string) bool { return slices.ContainsFunc(mounted, func(m string) bool { return inside(m, q) }) })
}

// Make adds p with the directories above it, as a directory or a file.
func (n Names) Make(p string, mode uint32) error {
	made, err := n.s.missing(p)
	n.s.add(made, mode)
	return err
}

func (n Names) Own(p string) bool {
	_, ok := n.s.own(p)
	return ok
}

// Split is how a path is taken apart for the directory that it names.
func Split(p string) (dir, name string) { return seccomp.Split(p) }

// Wants is what a call with these arguments wants of its objects.
func Wants(call int, args [6]uint64) (kind enforce.TouchKind, follow, anew bool) {
	c, ok := seccomp.Changing[call]
	if !ok {
		c = seccomp.Looking[call]
	}
	n := seccomp.Notification{Call: call, Args: args}
	kind, follow = wants(c, n)
	return kind, follow, c.Anew(n)
}

// TakeAhead is what a plan takes of a view that was made ahead: whether its root,
// what is put into that, and how many mounts are left.
func TakeAhead(view []enforce.Entry, p enforce.Plan) (root bool, left []enforce.Entry, mounts int) {
	a, l := newAhead(&builder{}, view, nil, false), &namespace.List{}
	if _, root = a.trapped(l); root {
		_, left = p.Skeleton()
	} else {
		_, left, root = a.root(l, p)
	}
	within := namesWithin(left)
	for _, e := range left {
		a.mount(l, e, within[e.Path])
	}
	return root, slices.DeleteFunc(left, a.has), len(a.mounts)
}

// Stands is what a plan has more than a view that stands; not ok: it does not use it.
func Stands(view []enforce.Entry, p enforce.Plan) (left []enforce.Entry, ok bool) {
	return newAhead(&builder{}, view, nil, true).whole(p)
}

// Calls that not every architecture has.
const (
	CallOpen     = seccomp.CallOpen
	CallMkdir    = seccomp.CallMkdir
	CallStat     = seccomp.CallStat
	CallLstat    = seccomp.CallLstat
	CallReadlink = seccomp.CallReadlink
	CallLchown   = seccomp.CallLchown
)

// ProcessOf asks the kernel for the process of a thread; 0 where it does not tell.
func ProcessOf(thread int) (pid int, failed error) {
	i := &ids{}
	pid = i.process(thread)
	return pid, i.close()
}

// Outside asks for an id of a process's pid namespace, again and again.
func Outside(init, pid int) (got [2]int, failed error) {
	i := &ids{}
	got[0], got[1] = i.outside(init, pid), i.outside(init, pid)
	return got, i.close()
}
