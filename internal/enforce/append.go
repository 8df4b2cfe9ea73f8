package enforce

import (
	"slices"

	"ambit.dev/ambit/internal/core/capability"
)

// Appends reports whether something of in is to be append-only, or bounded, which needs
// a device (Facts.FUSE).
func (in Input) Appends() bool {
	return slices.ContainsFunc(in.Volumes, func(v Volume) bool { return v.Append || v.bounded() }) ||
		slices.ContainsFunc(in.Effective, func(c capability.Capability) bool { return c.Kind() == capability.FSAppend })
}

// appends are the append-only folders and files.
func (e *effective) appends() (all []Entry) {
	for i := range e.grants {
		if e.grants[i].Op == OpAppend {
			all = append(all, e.grants[i])
		}
	}
	return all
}

// addAppend adds what an fs.append reaches.
func (e *effective) addAppend(c capability.Capability, objects []Object) error {
	for _, o := range objects {
		switch {
		case own(o.Path):
			return &CannotEnforce{c.Display(), o.Path + " is the sandbox's own, the host's cannot be shown"}
		case o.Socket:
			return &CannotEnforce{c.Display(), o.Path + " is a socket"}
		}
		g := bind(o, true)
		g.Op = OpAppend
		e.grants = append(e.grants, g)
	}
	return nil
}

// bounded reports whether v can be changed, and its content is counted.
func (v Volume) bounded() bool { return v.Write && (v.Bytes > 0 || v.Files > 0) }

// Where only bytes are bounded, so many files may be there whatever their size, and one
// more for each block.
const (
	freeFiles = 1000
	fileBlock = 4096
)

// mostFiles bounds files and folders, also where only bytes are bounded: the smallest
// file takes a block of the host's disk, which no program is told of as bytes.
func (v Volume) mostFiles() int64 {
	if v.Files == 0 {
		return freeFiles + v.Bytes/fileBlock
	}
	return v.Files
}

// unboundable names a volume with a bound that nobody would keep.
func (in Input) unboundable(can carries, f Facts) error {
	for _, v := range in.Volumes {
		cannot := func(why string) error { return &CannotEnforce{"a limit of " + v.Target, why} }
		switch {
		case v.Append || v.Bytes == 0 && v.Files == 0:
		case v.Changes != "":
			return cannot("what a copy on write grows to is not counted; show it with append, or with rw")
		case !v.Write:
			return cannot("it is read-only, and does not grow")
		case !v.Source.Dir:
			return cannot("only what lies in a folder is counted")
		case v.Tally == "":
			return cannot("there is no file by which one session has it alone")
		case !can.counts:
			return cannot("the " + in.promises() + " tier does not count what is written there; use --tier process")
		case !f.FUSE:
			return cannot("it needs /dev/fuse, which cannot be opened: run `ambit doctor`")
		}
	}
	return nil
}

// settleAppends has the wider right win where a capability says both: what may be
// written may be appended to. What may be read besides can be read there.
func (e *effective) settleAppends() {
	e.grants = slices.DeleteFunc(e.grants, func(g Entry) bool {
		return g.Op == OpAppend && g.Path == g.Source && slices.ContainsFunc(e.grants, func(w Entry) bool { return w.Op == OpBind && w.Write && w.Path == w.Source && within(g.Path, w.Path) })
	})
	for i := range e.grants {
		g := &e.grants[i]
		if g.Op == OpAppend {
			g.Read = g.Read || slices.ContainsFunc(e.grants, func(r Entry) bool { return r.Op == OpBind && within(g.Source, r.Source) })
		}
	}
	// What is shown there otherwise, or lies in it, would stand in the way.
	e.grants = slices.DeleteFunc(e.grants, func(r Entry) bool {
		return r.Op == OpBind && r.Path == r.Source && !r.Write && slices.ContainsFunc(e.grants, func(g Entry) bool { return g.Op == OpAppend && g.Path == g.Source && g.Read && within(r.Path, g.Path) })
	})
}

// closedInAppends has what is denied in an append-only folder be closed by its server,
// and refuses what would make it less than that.
//
// Security: a name that the server keeps closed needs no mount to be kept in its
// place: there is no request that moves it, or what it lies in. What another grant
// lets be changed is not append-only, whatever this one says.
func (e *effective) closedInAppends() error {
	for k := range e.grants {
		g := &e.grants[k]
		if g.Op == OpBounded {
			if err := e.openInBounded(g); err != nil {
				return err
			}
		}
		if g.Op != OpAppend {
			continue
		}
		what := "append-only " + g.Path
		for _, m := range e.masks {
			switch {
			case m.Socket || !within(m.Path, g.Source):
			case m.Path == g.Source:
				return &CannotEnforce{what, m.Path + " is denied"}
			default:
				g.Denied = append(g.Denied, Denied{m.Path[len(g.Source)+1:], m.Op != OpMask, m.Dev, m.Ino})
			}
		}
		for i := range e.grants {
			switch o := &e.grants[i]; {
			case o.Path == g.Path && o.Source == g.Source && o.Op == g.Op:
			case o.Op == OpBind && o.Write && (within(g.Source, o.Source) || within(o.Source, g.Source)):
				return &CannotEnforce{what, "the same files can be changed at " + o.Path}
			case within(o.Path, g.Path):
				return &CannotEnforce{what, o.Path + " would lie in it"}
			}
		}
	}
	return nil
}

// openInBounded refuses what would make a bounded folder grow uncounted, and what is to
// stay closed in it: in a folder that can be changed, names move.
func (e *effective) openInBounded(g *Entry) error {
	what := "a limit of " + g.Path
	for _, m := range e.masks {
		if !m.Socket && within(m.Path, g.Source) {
			return &CannotEnforce{what, m.Path + " is denied in it"}
		}
	}
	for i := range e.grants {
		switch o := &e.grants[i]; {
		case o.Path == g.Path && o.Source == g.Source && o.Op == g.Op:
		case (o.Op == OpBind && o.Write || o.Op == OpAppend || o.Op == OpBounded) && (within(g.Source, o.Source) || within(o.Source, g.Source)):
			return &CannotEnforce{what, "the same files can be written at " + o.Path + ", and would not be counted"}
		case within(o.Path, g.Path):
			return &CannotEnforce{what, o.Path + " would lie in it"}
		}
	}
	return nil
}
