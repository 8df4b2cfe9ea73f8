package enforce

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// DefaultDisk is the size of each private directory where no limit is set.
const DefaultDisk = 1 << 30

// DefaultPIDs bounds the processes and threads of a sandbox where no limit is
// set.
const DefaultPIDs = 1024

// Compile makes the plan of a tier.
//
// Security: every capability of the effective set is either in the plan or an
// error. Layers without which nothing is a boundary (Landlock where the host's
// kernel runs the program, a way to make the namespaces) are required; there is
// no plan without them.
func Compile(in Input, f Facts) (Plan, error) {
	can, ok := carriedBy(in.promises())
	if !ok {
		return Plan{}, fmt.Errorf("internal error: the tier %q is not known", in.Tier)
	}
	if err := can.required(in.promises(), f); err != nil {
		return Plan{}, err
	}
	if err := errors.Join(in.absolute(), in.unboundable(can, f)); err != nil {
		return Plan{}, err
	}
	in = can.asking(in)
	set, err := sortOut(in)
	if err != nil {
		return Plan{}, err
	}
	if a := set.appends(); len(a) > 0 && can.appends && !can.copies && !f.FUSE {
		return Plan{}, &CannotEnforce{"append-only " + a[0].Path, "it needs /dev/fuse, which cannot be opened: run `ambit doctor`"}
	}
	if err := in.refuseStored(can, f); err != nil {
		return Plan{}, err
	}
	p := Outline(f)
	p.Session, p.Program, p.Stored = in.Session, in.Program, in.stored()
	if in.Link != nil {
		l := *in.Link
		l.Tun, l.Late = f.TUN, l.Late && in.Ask && can.hold
		p.Link = &l
	}
	p.Filter = in.filter(set, p.Link, f)
	if p.Limits = limits(in.Limits, f); can.bounds {
		p.Limits = LimitPlan{Limits: in.Limits}
		if in.Limits.PIDs == 0 {
			p.Limits.PIDs = DefaultPIDs
		}
	}
	p.Tier = in.promises()
	if err := can.refuse(in, set, p.Limits); err != nil {
		return Plan{}, err
	}
	if err := in.refuseHere(can, p.Limits, f); err != nil {
		return Plan{}, err
	}
	p.Landlock.Connect = set.sockets
	if !can.landlock { // the kernel that runs the program is not the host's
		p.Landlock, p.Filter = Landlock{}, Filter{NoSpawn: set.noSpawn()}
	}
	if can.landlock && set.limitExec() {
		p.Landlock.LimitExecute = true
		for _, o := range set.executables() {
			p.Landlock.Execute = append(p.Landlock.Execute, o.Path)
		}
		for _, o := range set.askRun {
			p.Landlock.Later = append(p.Landlock.Later, o.Path)
		}
	}
	if p.View, err = layOut(in, set); err != nil {
		return Plan{}, err
	}
	if in.Ask {
		p.Quiet = in.Quiet
	}
	return p, nil
}

// filter is what the filter of system calls refuses, and what it holds or tells of.
func (in Input) filter(set *effective, link *LinkPlan, f Facts) Filter {
	return Filter{
		NoSpawn: set.noSpawn(), LimitExec: set.limitExec(),
		WatchConnect: in.Link == nil || in.Ask, WatchOpens: in.WatchOpens, HoldChanges: in.Ask, HoldRuns: in.Ask, AskSpawn: set.askSpawn,
		HoldLooks: in.Ask && in.Notify, HoldListens: in.Ask && in.AskListen && in.Link != nil, HoldSockets: link != nil && link.Late,
		NoGroupSignal: f.LandlockABI < FullLandlockABI, // its scope of signals came last
	}
}

// refuseHere refuses what this host has no means for.
func (in Input) refuseHere(can carries, l LimitPlan, f Facts) error {
	if in.Ask && !in.Notify && !f.FUSE && !can.copies { // a machine has one of its own
		other := ", use --ask-by notification, which is slower"
		if !can.hold {
			other = ""
		}
		return errors.New("asking at the first touch needs /dev/fuse, and it cannot be opened here: run `ambit doctor`" + other + ", or use --ask none")
	}
	if f.UID == 0 && in.Limits.PIDs > 0 && slices.Contains(l.Weaker, "pids") {
		return errors.New("as root a limit of pids needs a control group, and none can be had here: run `ambit doctor`, or run as an ordinary user")
	}
	if slices.Contains(l.Weaker, "cpu") {
		return errors.New("a limit of cpu needs a control group, and none can be had here: run `ambit doctor`, or use a limit of wall time")
	}
	return nil
}

// absolute refuses paths that the layout could not place.
func (in Input) absolute() error {
	paths := []string{in.Program.Path, in.Program.Dir}
	if in.HomePath != "" {
		paths = append(paths, in.HomePath)
	}
	for _, v := range in.Volumes {
		paths = append(paths, v.Target)
	}
	paths = append(paths, in.Quiet...)
	if in.Pack != nil {
		paths = append(paths, in.Pack.Path)
	}
	for _, p := range paths {
		if !path.IsAbs(p) || path.Clean(p) != p {
			return fmt.Errorf("internal error: the path %q is not absolute and clean", p)
		}
	}
	return nil
}

// Outline is what every plan for this host has in common. It permits nothing.
func Outline(f Facts) Plan {
	p := Plan{
		Tier: TierProcess, UID: f.UID, GID: f.GID, Hostname: "ambit",
		Namespaces: []string{"mount", "pid", "net", "ipc", "uts", "cgroup"},
		Landlock:   landlockPlan(f.LandlockABI),
		Limits:     limits(Limits{}, f),
	}
	if f.UserNamespace {
		p.Namespaces = append([]string{"user"}, p.Namespaces...)
	}
	return p
}

// Ahead is the view of a plan that grants nothing, in the order of a plan: what
// most views have, whatever will be decided. It is empty where there is none.
// in has no effective set yet.
//
// Security: it is no plan, and permits nothing. A tier may prepare it, and shows
// what the plan says.
func Ahead(in Input) []Entry {
	set, err := sortOut(in)
	if err != nil {
		return nil
	}
	view, err := layOut(in, set)
	if err != nil {
		return nil
	}
	return view
}

func limits(l Limits, f Facts) LimitPlan {
	p := LimitPlan{Limits: l}
	if l.PIDs == 0 { // a fork bomb is bounded, whoever forgot to
		switch {
		case f.PIDMax:
			p.PIDMax = DefaultPIDs
		case f.UID == 0 && !slices.Contains(f.Cgroup, "pids"):
			p.Weaker = append(p.Weaker, "pids") // nothing binds root here; it is said
		default:
			l.PIDs, p.Limits.PIDs = DefaultPIDs, DefaultPIDs
		}
	}
	for _, b := range []struct {
		name  string
		value int64
	}{{"memory", l.Memory}, {"pids", l.PIDs}, {"cpu", l.CPU}} {
		switch {
		case b.value == 0:
		case slices.Contains(f.Cgroup, b.name):
			p.Cgroup = append(p.Cgroup, b.name)
		case b.name == "pids" && f.UserNamespace && f.UID != 0:
			// RLIMIT_NPROC counts a user's processes in a user namespace, and
			// this one is the sandbox's own. Root is exempt (fork(2)).
			p.User = append(p.User, b.name)
		default:
			p.Weaker = append(p.Weaker, b.name)
		}
	}
	return p
}

// effective is the effective set, sorted by what enforces it.
type effective struct {
	tier     string   // what is promised, for what is said
	grants   []Entry  // binds, in no order
	sockets  []string // those of the host that grants name, by their path in the view
	before   []Entry  // of a grant that comes later: what the view has already
	masks    []Entry
	spawnAll bool
	spawn    []Object // of scoped process.spawn
	scoped   bool     // there is a scoped process.spawn
	start    []Object // what starts the program
	adHoc    bool
	link     bool // there is a network, which decides for itself
	// askSpawn: any program may come to be granted while the plan runs. Landlock
	// could not be widened then, so the filter alone holds every second program.
	askSpawn bool
	// askRun are programs that may come to be granted: Landlock knows them from
	// the start, and the view has nothing of them.
	askRun []Object
}

func (e *effective) limitExec() bool { return !e.adHoc && !e.spawnAll && !e.askSpawn }
func (e *effective) noSpawn() bool   { return e.askSpawn || e.limitExec() && !e.scoped }

func (e *effective) executables() []Object { return append(slices.Clone(e.start), e.spawn...) }

func sortOut(in Input) (*effective, error) {
	set := &effective{tier: in.promises(), adHoc: in.AdHoc, start: in.Executables, link: in.Link != nil}
	if err := set.open(in); err != nil {
		return nil, err
	}
	if err := set.close(in); err != nil {
		return nil, err
	}
	set.askSpawn = in.Ask && in.AskSpawn && !set.spawnAll
	if in.Ask && set.limitExec() {
		set.askAbout(in.AskRun)
	}
	return set, nil
}

// askAbout adds programs that were not granted.
func (e *effective) askAbout(programs []Object) {
	granted := e.executables()
	for _, o := range programs {
		if !slices.ContainsFunc(granted, func(g Object) bool { return g.Path == o.Path }) {
			e.askRun = append(e.askRun, o)
		}
	}
	e.scoped = e.scoped || len(e.askRun) > 0
}

// open adds what is granted.
func (e *effective) open(in Input) error {
	for _, c := range in.Effective {
		if err := e.add(c, in.Objects[c.String()]); err != nil {
			return err
		}
	}
	for _, v := range in.Volumes {
		if own(v.Source.Path) {
			return &CannotEnforce{"the volume " + v.Target, v.Source.Path + " is the sandbox's own, the host's cannot be shown"}
		}
		g := Entry{Op: OpBind, Path: v.Target, Source: v.Source.Path, Dir: v.Source.Dir, Write: v.Write, Dev: v.Source.Dev, Ino: v.Source.Ino}
		if v.Changes != "" {
			g.Op, g.Write, g.Changes = OpOverlay, true, v.Changes
		}
		if v.Append {
			g.Op, g.Write, g.Read, g.Size, g.Files, g.Tally = OpAppend, true, true, v.Bytes, v.Files, v.Tally
		}
		if v.bounded() {
			g.Op, g.Write, g.Read, g.Size, g.Files, g.Tally = OpBounded, true, true, v.Bytes, v.mostFiles(), v.Tally
		}
		e.grants = append(e.grants, g)
		if v.Source.Socket {
			e.sockets = append(e.sockets, v.Target)
		}
	}
	e.settleAppends()
	return nil
}

// close masks what stays closed inside.
func (e *effective) close(in Input) error {
	for _, c := range in.Masked {
		if err := e.mask(c, in.Objects[c.String()]); err != nil {
			return err
		}
	}
	if err := closedInOverlays(in.Volumes); err != nil {
		return err
	}
	if err := e.closedInAppends(); err != nil {
		return err
	}
	e.maskSockets(in.Base.Sockets)
	e.maskVolumes(in.Volumes)
	return nil
}

// maskSockets closes the host's sockets in what is granted: to connect to a
// daemon is more than to read or write the files around its socket. One that a
// grant names stays.
func (e *effective) maskSockets(sockets []Object) {
	for _, o := range sockets {
		is := func(g Entry) bool { return g.Source == o.Path }
		named := slices.ContainsFunc(e.grants, is) || slices.ContainsFunc(e.before, is)
		inside := slices.ContainsFunc(e.grants, func(g Entry) bool { return within(o.Path, g.Source) })
		if inside && !named {
			e.masks = append(e.masks, Entry{Op: OpMask, Path: o.Path, Socket: true})
		}
	}
}

// closedInOverlays refuses an overlay of what is no directory.
func closedInOverlays(volumes []Volume) error {
	for _, v := range volumes {
		if v.Changes == "" {
			continue
		}
		if !v.Source.Dir {
			return &CannotEnforce{"the volume " + v.Target, "only a directory can be changed elsewhere"}
		}
	}
	return nil
}

// maskVolumes closes what is denied wherever a volume shows it again. Sockets need no
// mask in an overlay: one that is seen through it leads nowhere.
//
// Security: a mask in an overlay stays in its place without pins, which would be
// mounts of the host's own directories, through which changes would reach the host: a
// directory of the source cannot be renamed there (EXDEV: userxattr turns redirects
// off), and what has a mount in it cannot be removed.
func (e *effective) maskVolumes(volumes []Volume) {
	for _, m := range e.masks {
		for _, v := range volumes {
			if within(m.Path, v.Source.Path) && !v.Append && (v.Changes == "" || !m.Socket) {
				again := m
				again.Path = path.Join(v.Target, strings.TrimPrefix(m.Path, v.Source.Path))
				e.masks = append(e.masks, again)
			}
		}
	}
}

func (e *effective) add(c capability.Capability, objects []Object) error {
	switch c.Kind() {
	case capability.FSRead, capability.FSWrite:
		for _, o := range objects {
			if own(o.Path) {
				return &CannotEnforce{c.Display(), o.Path + " is the sandbox's own, the host's cannot be shown"}
			}
			e.grants = append(e.grants, bind(o, c.Kind() == capability.FSWrite))
			if o.Socket {
				e.sockets = append(e.sockets, o.Path)
			}
		}
	case capability.ProcessSpawn:
		if c.Scope() == "" {
			e.spawnAll = true
			return nil
		}
		e.scoped = true
		e.spawn = append(e.spawn, objects...)
	case capability.FSAppend:
		return e.addAppend(c, objects)
	case capability.StorageRead, capability.StorageWrite: // the folder of what is stored
	case capability.NetConnect, capability.NetStream, capability.NetListen, capability.DNSLookup:
		if !e.link {
			return &CannotEnforce{c.Display(), "this sandbox has no link to a network"}
		}
		return records(c)
	case capability.SecretUse:
		if !e.link {
			return &CannotEnforce{c.Display(), "this sandbox has no link to a network; grant net.connect to that host too"}
		}
	default:
		return &CannotEnforce{c.Display(), "the " + e.tier + " tier has nothing that provides " + string(c.Kind())}
	}
	return nil
}

// mask closes c inside what is granted. A denial of something that nobody
// could reach needs nothing.
func (e *effective) mask(c capability.Capability, objects []Object) error {
	switch c.Kind() {
	case capability.FSRead, capability.FSWrite, capability.FSAppend, capability.ProcessSpawn:
	default:
		return nil
	}
	if pattern, ok := c.Pattern(); ok {
		path, literal := pattern.Literal()
		if !literal && c.Kind() != capability.FSRead && e.meets(pattern.Root()) {
			return &CannotEnforce{"the denial of " + c.Display(), "files with such names could be made later; deny a directory, or grant less"}
		}
		if literal && len(objects) == 0 && e.reaches(path) {
			return &CannotEnforce{"the denial of " + c.Display(), "it does not exist yet, and what is made there later could not be hidden; grant less, or create it first"}
		}
	}
	for _, o := range objects {
		if !o.Dir && o.Names > 1 {
			return &CannotEnforce{"the denial of " + c.Display(), fmt.Sprintf("%s has %d names (hard links), and closing one leaves the others; grant less, or make a copy of its own", o.Path, o.Names)}
		}
		if k, ok := e.replaceable(o.Links); ok {
			return &CannotEnforce{"the denial of " + c.Display(), k.Path + " is a symbolic link that the program could replace; deny where it leads to as well, or grant less"}
		}
		m := bind(o, false)
		if c.Kind() == capability.FSRead || c.Kind() == capability.ProcessSpawn {
			m.Op, m.Source = OpMask, ""
		}
		e.masks = append(e.masks, m)
	}
	return nil
}

// reaches reports whether a grant shows what may come to be at p.
func (e *effective) reaches(p string) bool {
	return slices.ContainsFunc(e.grants, func(g Entry) bool { return within(p, g.Source) })
}

// meets reports whether a grant shows something of what is at root and beneath.
func (e *effective) meets(root string) bool {
	return slices.ContainsFunc(e.grants, func(g Entry) bool { return within(root, g.Source) || within(g.Source, root) })
}

// replaceable finds a link that lies in a writable grant.
func (e *effective) replaceable(links []Link) (Link, bool) {
	for _, k := range links {
		holds := func(g Entry) bool { return g.Write && within(k.Path, g.Source) && k.Path != g.Source }
		if slices.ContainsFunc(e.grants, holds) || slices.ContainsFunc(e.before, holds) {
			return k, true
		}
	}
	return Link{}, false
}

func bind(o Object, write bool) Entry {
	return Entry{Op: OpBind, Path: o.Path, Source: o.Path, Dir: o.Dir, Write: write, Dev: o.Dev, Ino: o.Ino}
}

func bareSpawn(c capability.Capability) bool {
	return c.Kind() == capability.ProcessSpawn && c.Scope() == ""
}

// own reports whether the view has something of its own at p.
func own(p string) bool { return within(p, "/proc") || within(p, "/dev") }

// within reports whether p is dir or beneath it, by whole components.
func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") //nolint:forbidigo // the separator is part of the prefix
}

// byPath orders parents before children.
func byPath(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(beforeAll(a[i]), beforeAll(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

// beforeAll has the separator stand before every other byte of a path.
func beforeAll(c byte) byte {
	if c == '/' {
		return 0
	}
	return c
}

// parents are the directories above p, from the top, without the root.
func parents(p string) (up []string) {
	for d := path.Dir(p); d != "/"; d = path.Dir(d) {
		up = append(up, d)
	}
	slices.Reverse(up)
	return up
}
