package microvm

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/image"
)

// Where the guest has things; cmd/ambit-guest puts them there.
const (
	guestImage = "/image"
	guestTrees = "/trees"
)

// layout is a plan's view as the guest is told it, and what has to be put there.
type layout struct {
	entries []channel.Entry
	trees   []*tree
}

// devices are those of the view that the guest has of its own.
var devices = []string{"null", "zero", "full", "random", "urandom", "tty"}

// layOut translates the view. What the image has comes from it, read-only; all
// else that the host shows becomes a copy.
func layOut(p enforce.Plan, img image.Image) (_ *layout, err error) {
	l := &layout{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	has, err := img.Contents()
	if err != nil {
		return nil, err
	}
	for _, e := range p.View {
		if err := l.add(e, p.View, img, has); err != nil {
			return nil, err
		}
	}
	own := func(path string, op enforce.Op) bool {
		return slices.ContainsFunc(p.View, func(e enforce.Entry) bool { return e.Path == path && (op == "" || e.Op == op) })
	}
	if own("/etc", enforce.OpDir) && !own("/etc", enforce.OpBind) && !own("/etc/machine-id", "") {
		l.entries = append(l.entries, channel.Entry{Op: "file", Path: "/etc/machine-id", Mode: 0o444, Content: machineID(p.Session)})
	}
	return l, nil
}

func (l *layout) close() {
	for _, t := range l.trees {
		t.close()
	}
}

func (l *layout) add(e enforce.Entry, view []enforce.Entry, img image.Image, has image.Contents) error {
	to := channel.Entry{Op: string(e.Op), Path: e.Path, Write: e.Write, Exec: e.Exec, Device: e.Device, Dir: e.Dir, Size: e.Size, Mode: e.Mode, Content: e.Content}
	switch e.Op {
	case enforce.OpStored, enforce.OpBounded:
		return errors.New("internal error: a plan of another tier")
	case enforce.OpLink:
		to.From = e.Source
	case enforce.OpBind:
		switch {
		case e.Pin:
			return nil // it keeps masks in their place, and there is nothing behind them here
		case e.Device:
			from, err := device(e)
			if err != nil {
				return err
			}
			to.From = from
		case !e.Write && provided(img, e.Source) && has.Has(e.Source):
			to.From = guestImage + e.Source
		case e.Ino == 0 && !e.Write && e.Dir:
			return nil // of the host's system, which the image stands for
		case e.Ino == 0 && !e.Write:
			text, err := os.ReadFile(e.Source)
			if err != nil {
				return fmt.Errorf("read a file of the system: %w", err)
			}
			to.Op, to.Content, to.Mode = string(enforce.OpFile), text, 0o644
		default:
			from, err := l.copied(e, within(e, view))
			if err != nil {
				return err
			}
			to.From = from
		}
	case enforce.OpAppend, enforce.OpOverlay:
		from, err := l.copied(e, within(e, view))
		if err != nil {
			return err
		}
		to.Op, to.From = string(enforce.OpBind), from
	case enforce.OpDir, enforce.OpFile, enforce.OpTmpfs, enforce.OpProc, enforce.OpDevpts, enforce.OpMask, enforce.OpTrap:
	}
	l.entries = append(l.entries, to)
	return nil
}

// copied opens what the machine gets a copy of, and says where the guest will have it.
func (l *layout) copied(e enforce.Entry, kept []place) (string, error) {
	t, err := openTree(len(l.trees), e, kept)
	if err != nil {
		return "", fmt.Errorf("open %q for the machine: %w", e.Source, err)
	}
	for _, d := range e.Denied {
		if fi, err := t.root.Lstat(d.Path); err == nil && !d.Read {
			t.kept = append(t.kept, place{path: d.Path, dir: fi.IsDir()})
		}
	}
	l.trees = append(l.trees, t)
	return path.Join(guestTrees, fmt.Sprint(t.n)), nil
}

// device is the guest's own device for one of the view.
func device(e enforce.Entry) (string, error) {
	if e.Path == enforce.Console { // the program's terminal; the guest makes it, or has this one
		return "/dev/null", nil
	}
	if name, ok := strings.CutPrefix(e.Path, "/dev/"); ok && slices.Contains(devices, name) && e.Source == e.Path {
		return e.Path, nil
	}
	return "", &enforce.CannotEnforce{Capability: "the device " + e.Path, Why: "a machine has no device of the host"}
}

// within lists what the view has beneath an entry, by its path from there: it is
// not copied with the entry, and nothing that the guest has there comes back.
func within(e enforce.Entry, view []enforce.Entry) (kept []place) {
	for _, o := range view {
		if o.Path == e.Path || !beneath(o.Path, e.Path) || o.Pin {
			continue
		}
		switch o.Op {
		case enforce.OpBind, enforce.OpMask, enforce.OpTmpfs, enforce.OpAppend, enforce.OpOverlay:
			kept = append(kept, place{path: relative(e.Path, o.Path), dir: o.Dir})
		case enforce.OpDir, enforce.OpFile, enforce.OpLink, enforce.OpProc, enforce.OpDevpts, enforce.OpTrap, enforce.OpStored, enforce.OpBounded:
		}
	}
	return kept
}

// place is one thing of a view beneath another one.
type place struct {
	path   string
	dir    bool
	closed bool // what lies there is denied
}

// beneath reports whether p is dir or lies beneath it, by whole components.
func beneath(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") //nolint:forbidigo // the separator is part of the prefix
}
