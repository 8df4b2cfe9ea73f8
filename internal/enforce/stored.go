package enforce

import (
	"context"
	"os"
	"slices"
	"time"

	"ambit.dev/ambit/internal/core/capability"
)

// StoredDir is where a view has what outlives its session: a file for each key.
const StoredDir = "/ambit/storage"

// StoredPlan says which keys a view has, and those beneath each.
type StoredPlan struct {
	Read  []string `json:"read,omitempty"`
	Write []string `json:"write,omitempty"`
	Ask   []string `json:"ask,omitempty"` // can be asked about
}

// A StoredValue is what a key has now.
type StoredValue struct {
	Key  string
	Size int64
	Time time.Time
}

// A StoredDraft is what a program writes, until it is committed or dropped.
type StoredDraft interface {
	ReadAt(b []byte, off int64) (int, error)
	WriteAt(b []byte, off int64) (int, error)
	Truncate(size int64) error
	Size() int64
	// Seal finds what a commit would fail of, as far as that is known before.
	Seal() error
	Commit() error // it ends the draft in any case
	Drop() error
}

// StoredRights are those to one key. A key with none of them is not there.
type StoredRights struct{ Read, Write bool }

// A Storer keeps what outlives sessions, for one of them. It knows what that may do,
// also when that changes, and is safe for concurrent use. Its errors wrap a
// unix.Errno where the program shall hear of one.
type Storer interface {
	Rights(key string) StoredRights
	// Leading are the keys that are granted, or can be asked about: what leads to one
	// is a folder.
	Leading() []string
	// Asks reports whether somebody would be asked about a right to a key.
	Asks(key string, write bool) bool
	// Ask has somebody asked, which may take minutes; what came of it Rights says. pid
	// is who wants it, as the host has it.
	Ask(ctx context.Context, key string, write bool, pid int)
	Values() ([]StoredValue, error) // what there is now, in the order of keys
	Look(key string) (StoredValue, error)
	Open(key string) (*os.File, StoredValue, error)
	Draft(key string, old bool) (StoredDraft, error)
	Remove(key string) error
	// Room is how much is stored, where that is to be counted, and how much may be.
	Room(count bool) (used, most int64)
	// Lost is told of what could not be committed after the program had closed it.
	Lost(key string, cause error)
}

// isStored reports whether a capability is about what is stored.
func isStored(c capability.Capability) bool {
	return c.Kind() == capability.StorageRead || c.Kind() == capability.StorageWrite
}

// Stores reports whether the view has a folder of what is stored, which needs a
// device (Facts.FUSE).
func (in Input) Stores() bool {
	return len(in.AskStored) > 0 || slices.ContainsFunc(in.Effective, isStored)
}

// stored is what the plan says of it; nil where there is nothing.
func (in Input) stored() *StoredPlan {
	if !in.Stores() {
		return nil
	}
	p := &StoredPlan{}
	for _, c := range in.Effective {
		switch c.Kind() {
		case capability.StorageRead:
			p.Read = append(p.Read, c.Scope())
		case capability.StorageWrite:
			p.Write = append(p.Write, c.Scope())
		default:
		}
	}
	for _, c := range in.AskStored {
		p.Ask = append(p.Ask, c.Scope())
	}
	for _, l := range []*[]string{&p.Read, &p.Write, &p.Ask} {
		slices.Sort(*l)
		*l = slices.Compact(*l)
	}
	return p
}

// refuseStored names what a tier, or a host, cannot do of it.
func (in Input) refuseStored(can carries, f Facts) error {
	if !in.Stores() {
		return nil
	}
	i := slices.IndexFunc(in.Effective, isStored)
	c := capability.Capability{}
	if i >= 0 {
		c = in.Effective[i]
	} else {
		c = in.AskStored[0]
	}
	switch {
	case !can.stores:
		return &CannotEnforce{c.Display(), "the " + in.promises() + " tier has no folder of what is stored yet; use --tier process"}
	case !f.FUSE:
		return &CannotEnforce{c.Display(), "what is stored needs /dev/fuse, which cannot be opened: run `ambit doctor`"}
	}
	return nil
}

// stored puts the folder into the view.
func (l *layout) stored(in Input) {
	if p := in.stored(); p != nil {
		l.mounts[StoredDir] = Entry{Op: OpStored, Path: StoredDir, Dir: true, Write: true}
	}
}
