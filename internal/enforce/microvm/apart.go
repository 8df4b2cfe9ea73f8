package microvm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// A parter keeps apart what the guest has changed of one folder, as overlayfs would
// have: what it has now that the folder has not, and marks of what it has removed. It is
// made anew each time, beside what was kept before, and takes its place when it is whole.
//
// Security: the folder itself is not written. What the guest says is made beneath a
// folder that nothing else is in (os.Root), so that no link leads out of it; what lies
// there is looked at by a person before it is applied. What the plan shows beneath the
// folder by another rule is passed over, and what leads there stays a folder.
type parter struct {
	tally
	t      *tree
	dir    string // of what is kept apart
	made   *os.Root
	modes  map[string]fs.FileMode // of the guest's folders
	failed []string
}

// fresh is the name of what is being made, in the folder that overlayfs would work in.
const fresh = "fresh"

func newParter(y tally, t *tree) (*parter, error) {
	p := &parter{tally: y, t: t, dir: t.entry.Changes, modes: map[string]fs.FileMode{}}
	if err := errors.Join(os.RemoveAll(p.fresh()), os.Mkdir(p.fresh(), 0o700)); err != nil {
		return nil, err
	}
	var err error
	p.made, err = os.OpenRoot(p.fresh())
	return p, err
}

func (p *parter) fresh() string { return filepath.Join(p.dir, enforce.Work, fresh) }
func (p *parter) close()        { _ = p.made.Close() } // it only stands for a folder

// take looks at one thing that the guest has. An error ends the collection.
func (p *parter) take(n channel.Node, content io.Reader) error {
	if err := p.count(n); err != nil {
		return err
	}
	was, had := p.t.has[n.Path]
	if n.Kind == channel.NodeDir {
		p.modes[n.Path] = fs.FileMode(n.Mode & 0o777)
	}
	_, kept := p.t.keeps(n.Path)
	switch {
	case kept:
		return nil
	case n.Same && !had:
		return fmt.Errorf("the guest never had %q", n.Path)
	case n.Path == "." && n.Kind != channel.NodeDir, n.Kind == channel.NodeClosed:
		return errors.New("the guest sends what was not there")
	case n.Same, n.Path == ".":
		return nil
	case n.Kind != channel.NodeDir && p.t.above(n.Path):
		p.fail(n.Path, errors.New("it leads to what is not granted for writing, and stays a folder"))
		return nil
	case had && was.kind == n.Kind && (n.Kind == channel.NodeDir && was.mode&0o777 == n.Mode&0o777 || n.Kind == channel.NodeLink && was.target == n.Target):
		return nil
	}
	if err := p.make(n, content); err != nil {
		p.fail(n.Path, err)
	}
	return nil
}

func (p *parter) fail(rel string, err error) {
	p.failed = append(p.failed, fmt.Sprintf("%s: %v", rel, err))
}

func (p *parter) make(n channel.Node, content io.Reader) error {
	if err := p.lead(parent(n.Path)); err != nil {
		return err
	}
	switch n.Kind {
	case channel.NodeDir:
		return p.lead(n.Path)
	case channel.NodeLink:
		return p.made.Symlink(n.Target, n.Path)
	case channel.NodeFile, channel.NodeClosed:
	}
	f, err := p.made.OpenFile(n.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	unchanged, err := p.t.receive(f, n, content)
	err = errors.Join(err, f.Chmod(fs.FileMode(n.Mode&0o777)), f.Close())
	if err == nil && unchanged {
		return p.made.Remove(n.Path)
	}
	return err
}

// lead makes a folder, and those that lead there, with the modes that the guest's have.
func (p *parter) lead(rel string) error {
	if rel == "." {
		return nil
	}
	if fi, err := p.made.Lstat(rel); err == nil && fi.IsDir() {
		return nil
	}
	mode, ok := p.modes[rel]
	if !ok {
		return errors.New("no folder leads there")
	}
	if err := p.lead(path.Dir(rel)); err != nil {
		return err
	}
	if err := p.made.Mkdir(rel, 0o700); err != nil {
		return err
	}
	return p.made.Chmod(rel, mode|0o700)
}

// finish marks what the guest has no longer, and puts what was made in its place.
func (p *parter) finish() error {
	for _, rel := range p.gone() {
		if err := p.mark(rel); err != nil {
			p.fail(rel, err)
		}
	}
	upper := filepath.Join(p.dir, enforce.Upper)
	if err := os.Chmod(p.fresh(), p.modes["."]|0o700); err != nil {
		return err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, p.fresh(), unix.AT_FDCWD, upper, unix.RENAME_EXCHANGE); err != nil {
		return fmt.Errorf("keep what was changed: %w", err)
	}
	if err := os.RemoveAll(p.fresh()); err != nil {
		return err
	}
	if len(p.failed) > 0 {
		return fmt.Errorf("changes of %q could not be kept: %s", p.t.entry.Path, few(p.failed))
	}
	return nil
}

// gone are the paths that the guest has removed, but of those in a folder that is gone
// as a whole, or is none any more.
func (p *parter) gone() (all []string) {
	for rel := range p.t.has {
		if _, leads := p.modes[parent(rel)]; leads && !p.seen[rel] && !p.t.above(rel) {
			all = append(all, rel)
		}
	}
	slices.SortFunc(all, strings.Compare)
	return all
}

// mark notes that something was removed: as overlayfs does, which anybody may.
func (p *parter) mark(rel string) error {
	if err := p.lead(parent(rel)); err != nil {
		return err
	}
	dir, err := p.made.Open(parent(rel))
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Mknodat(int(dir.Fd()), path.Base(rel), unix.S_IFCHR, 0)
}
