package enforce

import (
	"fmt"
	"path"
	"slices"
)

// Console is where a view has the terminal that its program is started on.
const Console = "/dev/console"

// layout collects what the view has, by path.
type layout struct {
	mounts map[string]Entry // what is mounted: binds, tmpfs, proc, devpts
	masks  []Entry
	links  map[string]string
	files  map[string][]byte
	dirs   []string // that are there though nothing is mounted in them
	trap   bool     // the root is one
	stand  []string // programs that can be asked about
}

// layOut makes the ordered view.
func layOut(in Input, set *effective) ([]Entry, error) {
	l := &layout{mounts: map[string]Entry{}, links: map[string]string{}, files: map[string][]byte{}, masks: set.masks, trap: in.Ask && !in.Notify}
	l.system(in)
	l.base(in.Base, set)
	l.home(in)
	l.stored(in)
	if in.Pack != nil {
		l.grant(bind(*in.Pack, false))
	}
	for _, e := range set.grants {
		e.Exec = e.Exec || in.keepsExec(e)
		l.grant(e)
	}
	for _, o := range set.executables() {
		e := bind(o, false)
		e.Exec = true
		l.grant(e)
		l.show(o.Links)
	}
	for _, objects := range in.Objects {
		for _, o := range objects {
			l.show(o.Links)
		}
	}
	for _, m := range l.masks {
		if !m.Socket {
			l.pin(m.Path)
		}
	}
	if set.limitExec() {
		l.hidePrograms(in.Base.Beside, set)
	}
	for _, o := range in.Base.Masked {
		l.masks = append(l.masks, Entry{Op: OpMask, Path: o.Path, Dir: o.Dir})
	}
	if in.Ask {
		l.quiet(in.Quiet)
	}
	return l.order()
}

// quiet gives a folder of its own to each quiet path beneath which the view has
// something: the trap would be asked for every file of it.
func (l *layout) quiet(paths []string) {
	for _, q := range paths {
		if _, ok := l.mounts[q]; ok || !l.holds(q) || l.above(q) {
			continue
		}
		l.mounts[q] = Entry{Op: OpTmpfs, Path: q, Dir: true, Size: 4 << 20, Mode: 0o755}
	}
}

// holds reports whether the view has something beneath p.
func (l *layout) holds(p string) bool {
	for q := range l.files {
		if within(q, p) {
			return true
		}
	}
	return l.leadsThrough(p)
}

// above reports whether p lies in something that is mounted.
func (l *layout) above(p string) bool {
	return slices.ContainsFunc(parents(p), func(d string) bool { _, ok := l.mounts[d]; return ok })
}

// system is what every view has: proc, a small dev, private temporary files.
func (l *layout) system(in Input) {
	size := in.Limits.Disk
	if size == 0 {
		size = DefaultDisk
	}
	exec := in.executesAnything()
	l.mounts["/proc"] = Entry{Op: OpProc, Path: "/proc", Dir: true}
	l.mounts["/tmp"] = Entry{Op: OpTmpfs, Path: "/tmp", Dir: true, Write: true, Exec: exec, Size: size, Mode: 0o1777}
	l.mounts["/dev/shm"] = Entry{Op: OpTmpfs, Path: "/dev/shm", Dir: true, Write: true, Size: size, Mode: 0o1777}
	l.mounts["/dev/pts"] = Entry{Op: OpDevpts, Path: "/dev/pts", Dir: true, Write: true}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		p := "/dev/" + name
		// A device on a read-only mount can be written all the same; its mode,
		// owner and times, which are the host's, cannot.
		l.mounts[p] = Entry{Op: OpBind, Path: p, Source: p, Device: true}
	}
	if in.Terminal != "" { // so that ttyname(3) finds it: the view has a devpts of its own
		l.mounts[Console] = Entry{Op: OpBind, Path: Console, Source: in.Terminal, Device: true}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0",
		"stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		l.links["/dev/"+name] = target
	}
	if in.Ask { // the devices are the view's own: nothing there is for asking
		l.mounts["/dev"] = Entry{Op: OpTmpfs, Path: "/dev", Dir: true, Size: 64 << 10, Mode: 0o755}
		l.dirs = append(l.dirs, in.Program.Dir)
	}
	l.links["/var/tmp"] = "/tmp"
	l.links["/var/run"] = "/run"
}

// executesAnything reports whether the program may execute what it has written,
// in /tmp for one.
func (in Input) executesAnything() bool {
	return in.AdHoc || slices.ContainsFunc(in.Effective, bareSpawn)
}

// keepsExec reports whether a grant lies where the base has libraries and
// programs, which it must not take away: noexec stops a loader, too.
//
// Security: only where anything that is written can be executed all the same.
func (in Input) keepsExec(e Entry) bool {
	return in.executesAnything() && e.Op == OpBind && e.Source == e.Path &&
		slices.ContainsFunc(in.Base.Dirs, func(o Object) bool { return o.Dir && within(e.Path, o.Path) })
}

// base is the part of the host that every program sees. Where the plan limits
// what may be executed, the directories of programs hold only that.
func (l *layout) base(b Base, set *effective) {
	for _, o := range b.Dirs {
		e := bind(o, false)
		e.Exec = o.Dir
		l.mounts[o.Path] = e
	}
	l.show(b.Links)
	for _, f := range b.Files {
		l.files[f.Path] = f.Content
	}
	if !set.limitExec() {
		return
	}
	for _, o := range set.askRun {
		l.stand = append(l.stand, o.Path)
	}
	for _, p := range b.Programs {
		l.mounts[p] = Entry{Op: OpTmpfs, Path: p, Dir: true, Exec: true, Size: 1 << 20, Mode: 0o755}
	}
}

func (l *layout) home(in Input) {
	if in.HomePath == "" || in.HomePath == "/" {
		return
	}
	switch in.Home {
	case HomeNone:
	case HomeHost:
		l.dirs = append(l.dirs, in.HomePath)
	case HomeEphemeral:
		t := l.mounts["/tmp"]
		t.Path, t.Mode = in.HomePath, 0o700
		l.mounts[in.HomePath] = t
	case HomePrivate:
		if o := in.PrivateHome; o != nil {
			e := bind(*o, true)
			e.Path, e.Exec = in.HomePath, l.mounts["/tmp"].Exec
			l.mounts[in.HomePath] = e
		}
	}
}

// grant adds a bind; on one path the wider right wins, and a grant replaces
// what is private there.
func (l *layout) grant(e Entry) {
	if old, ok := l.mounts[e.Path]; ok && old.Op == OpBind && old.Source == e.Source {
		e.Write, e.Exec = e.Write || old.Write, e.Exec || old.Exec
	}
	l.mounts[e.Path] = e
}

func (l *layout) show(links []Link) {
	for _, k := range links {
		l.links[k.Path] = k.Target
	}
}

// order puts parents before children, makes mount points, and leaves out what
// a wider mount covers already.
func (l *layout) order() ([]Entry, error) {
	all := make([]Entry, 0, len(l.mounts)+len(l.links)+len(l.files)+len(l.stand)+len(l.dirs))
	for _, e := range l.mounts {
		if !l.covered(e) {
			all = append(all, e)
		}
	}
	for p, target := range l.links {
		if l.leadsThrough(p) {
			continue // something granted needs a real directory there
		}
		all = append(all, Entry{Op: OpLink, Path: p, Source: target})
	}
	for p, content := range l.files {
		if _, ok := l.mounts[p]; ok {
			continue // the host's own was granted
		}
		all = append(all, Entry{Op: OpFile, Path: p, Content: content, Mode: 0o644})
	}
	for _, p := range l.stand {
		// Elsewhere than among the programs it is hidden by the trap.
		if on, ok := l.mounts[path.Dir(p)]; ok && on.Op == OpTmpfs && l.mounts[p].Path == "" {
			all = append(all, Entry{Op: OpFile, Path: p, Mode: 0o755, Ask: true})
		}
	}
	for _, p := range l.dirs {
		if _, ok := l.mounts[p]; !ok && p != "/" {
			all = append(all, Entry{Op: OpDir, Path: p, Mode: 0o755})
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return byPath(a.Path, b.Path) })
	o := newOrderer(l.trap, len(all))
	for _, e := range all {
		if err := o.add(e); err != nil {
			return nil, err
		}
	}
	for _, m := range outermost(l.masks) {
		on := o.made[m.Path]
		if owner := o.owner(m.Path).Op; owner == OpBind || owner == OpOverlay || owner == OpProc || on != nil && on.Op == OpBind {
			o.out = append(o.out, m)
		}
	}
	return o.out, nil
}

// leadsThrough reports whether a mount lies at p or beneath.
func (l *layout) leadsThrough(p string) bool {
	for m := range l.mounts {
		if within(m, p) {
			return true
		}
	}
	return false
}

// covered reports whether a bind of the same tree with at least the same
// rights stands above e.
func (l *layout) covered(e Entry) bool {
	if e.Op != OpBind || e.Source != e.Path || e.Device || e.Pin {
		return false
	}
	up := parents(e.Path)
	slices.Reverse(up)
	for _, p := range up {
		if m, ok := l.mounts[p]; ok {
			return m.Op == OpBind && m.Source == p && (m.Write || !e.Write) && (m.Exec || !e.Exec)
		}
	}
	return false
}

// orderer emits entries and remembers what stands where.
type orderer struct {
	out  []Entry
	made map[string]*Entry
}

// newOrderer expects so many entries, and as many directories that lead to them.
func newOrderer(trap bool, entries int) *orderer {
	root := &Entry{Op: OpTmpfs, Path: "/"}
	o := &orderer{out: make([]Entry, 0, 2*entries)}
	if trap {
		root = &Entry{Op: OpTrap, Path: "/", Dir: true, Exec: true}
		o.out = append(o.out, *root)
	}
	o.made = make(map[string]*Entry, entries)
	o.made["/"] = root
	return o
}

// emit adds e to the view, and answers it as it stands there.
func (o *orderer) emit(e Entry) *Entry {
	o.out = append(o.out, e)
	return &o.out[len(o.out)-1]
}

// owner is the mount that p lies on, not counting one at p itself.
func (o *orderer) owner(p string) Entry {
	for d := path.Dir(p); ; d = path.Dir(d) {
		if e, ok := o.made[d]; ok && e.Op != OpDir {
			return *e
		}
		if d == "/" {
			return Entry{}
		}
	}
}

func (o *orderer) add(e Entry) error {
	owner := o.owner(e.Path)
	switch {
	case e.Op == OpDir && o.made[e.Path] != nil:
		return nil // something needed it before
	case owner.Op == OpTmpfs || owner.Op == OpTrap:
		o.point(e)
	case e.Op == OpLink, e.Op == OpFile, e.Op == OpDir:
		return nil // the host's own is there already
	case owner.Op == OpBind && e.Pin:
	case owner.Op == OpBind && e.Op == OpAppend && e.Source == e.Path && owner.Source == owner.Path:
	case owner.Op == OpBind && e.Op == OpBind && e.Source == e.Path && owner.Source == owner.Path:
	case owner.Op == OpBind && e.Op == OpTmpfs && owner.Source == owner.Path:
	default:
		return fmt.Errorf("cannot show %q in the view: it would lie inside %q, which is the host's", e.Path, owner.Path)
	}
	o.made[e.Path] = o.emit(e)
	return nil
}

// point makes the directories above e, and the object that it is mounted on.
// Those that are there only because they lead to e are closed, also where what
// they lie on can be written: what a program writes beside e would be lost.
func (o *orderer) point(e Entry) {
	owner := o.owner(e.Path)
	for _, d := range parents(e.Path) {
		if _, ok := o.made[d]; ok || !within(d, owner.Path) {
			continue
		}
		o.dir(d)
		if owner.Write {
			owner = Entry{Op: OpTmpfs, Path: d, Dir: true, Size: 1 << 20, Mode: 0o755}
			o.made[d] = o.emit(owner)
		}
	}
	switch {
	case e.Op == OpLink || e.Op == OpFile || e.Op == OpDir:
	case e.Dir:
		o.dir(e.Path)
	default:
		o.out = append(o.out, Entry{Op: OpFile, Path: e.Path, Mode: 0o644})
	}
}

func (o *orderer) dir(p string) {
	o.made[p] = o.emit(Entry{Op: OpDir, Path: p, Mode: 0o755})
}
