package microvm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/aside"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

func sys(fi fs.FileInfo) (*syscall.Stat_t, bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return st, ok
}

func idOf(session string) string {
	sum := sha256.Sum256([]byte("machine " + session))
	return hex.EncodeToString(sum[:16])
}

// most is how many bytes one collection may bring.
func most(p enforce.Plan) int64 {
	if p.Limits.Disk > 0 {
		return p.Limits.Disk
	}
	return enforce.DefaultDisk
}

// collector brings back what became of one writable grant.
//
// Security: it takes a guest at its word for nothing. Names were checked when they
// were read; each is resolved beneath the grant by os.Root, which refuses what
// leads out; the object itself is never followed. There is no way to name a
// device. What the plan shows beneath the grant by another rule is passed over, also
// where the host has nothing there, and what leads there stays a folder: a link in its
// place would have what is closed lie in what is open.
// How much there may be is bounded. What somebody else changed on the host
// meanwhile is left as it is, and said.
type collector struct {
	tally
	t         *tree
	conflicts []string
	failed    []string
}

// A tally bounds what a guest says of a tree. It may lie.
type tally struct {
	left    int64 // bytes that it may have yet
	objects int
	seen    map[string]bool // by path
}

func newTally(most int64) tally { return tally{left: most, seen: map[string]bool{}} }

// count takes one more thing into account. An error ends the collection.
func (y *tally) count(n channel.Node) error {
	if y.objects++; y.objects > mostObjects {
		return fmt.Errorf("the guest has more than %d files there", mostObjects)
	}
	if y.seen[n.Path] {
		return fmt.Errorf("the guest names %q twice", n.Path)
	}
	if y.left -= n.Size; y.left < 0 {
		return errors.New("the guest has more there than the limit of disk")
	}
	y.seen[n.Path] = true
	return nil
}

// collect asks the guest for what a tree has become, and makes it so on the host.
func (s *session) collect(t *tree, until time.Time) error {
	st, err := s.channel.Stream(channel.Request{Op: channel.OpCollect, Tree: t.n})
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // it was read
	if err := st.Conn().SetReadDeadline(until); err != nil {
		return err
	}
	c := &collector{tally: newTally(most(s.plan)), t: t}
	take, finish := c.take, c.finish
	if t.entry.Op == enforce.OpAppend {
		g := &grower{tally: c.tally, t: t}
		take, finish = g.take, g.finish
	}
	if t.entry.Op == enforce.OpOverlay {
		p, err := newParter(c.tally, t)
		if err != nil {
			return fmt.Errorf("keep apart what is changed of %q: %w", t.entry.Source, err)
		}
		defer p.close()
		take, finish = p.take, p.finish
	}
	if err := st.Files(take); err != nil {
		return fmt.Errorf("bring back %q: %w", t.entry.Source, err)
	}
	if _, err := st.Answer(until); err != nil {
		return fmt.Errorf("bring back %q: %w", t.entry.Source, err)
	}
	return finish()
}

// finish removes what the guest has no longer, and says what was not brought back.
func (c *collector) finish() error {
	c.remove()
	return c.err()
}

func (c *collector) err() error {
	var all []error
	if len(c.conflicts) > 0 {
		all = append(all, fmt.Errorf("files in %q were changed by the program and on the host too, and stay as they are on the host: %s", c.t.entry.Source, few(c.conflicts)))
	}
	if len(c.failed) > 0 {
		all = append(all, fmt.Errorf("files of %q could not be brought back: %s", c.t.entry.Source, few(c.failed)))
	}
	return errors.Join(all...)
}

func few(names []string) string {
	if len(names) > 5 {
		return fmt.Sprintf("%q and %d more", names[:5], len(names)-5)
	}
	return fmt.Sprintf("%q", names)
}

func (c *collector) take(n channel.Node, content io.Reader) error {
	if err := c.count(n); err != nil {
		return err
	}
	if _, kept := c.t.keeps(n.Path); kept {
		return nil
	}
	if n.Path == "." || n.Same {
		return c.same(n, content)
	}
	var err error
	if n.Kind != channel.NodeDir && c.t.above(n.Path) {
		c.failed = append(c.failed, n.Path+": it leads to what is not granted for writing, and stays a folder")
		return nil
	}
	switch n.Kind {
	case channel.NodeDir:
		err = c.dir(n)
	case channel.NodeLink:
		err = c.link(n)
	case channel.NodeFile:
		err = c.file(n, content)
	case channel.NodeClosed:
		return errors.New("the guest sends a file without its content")
	}
	if errors.Is(err, errConflict) {
		c.conflicts = append(c.conflicts, n.Path)
		return nil
	}
	if err != nil {
		c.failed = append(c.failed, fmt.Sprintf("%s: %v", n.Path, err))
	}
	return nil
}

var errConflict = errors.New("it was changed on the host")

// same takes note of what the guest says it left alone. A grant of a single file
// is written in its place.
func (c *collector) same(n channel.Node, content io.Reader) error {
	if c.t.root != nil || n.Same {
		if _, ok := c.t.has[n.Path]; n.Same && !ok {
			return fmt.Errorf("the guest never had %q", n.Path)
		}
		return nil
	}
	if n.Kind != channel.NodeFile {
		return errors.New("the guest has no file there any more")
	}
	return c.single(content)
}

// now is the host's object at rel, and whether it is as this side left it.
func (c *collector) now(rel string) (fi fs.FileInfo, asLeft bool, err error) {
	fi, err = c.t.root.Lstat(rel)
	was, had := c.t.has[rel]
	if errors.Is(err, fs.ErrNotExist) {
		return nil, !had, nil
	}
	if err != nil {
		return nil, false, err
	}
	_, o := node(rel, fi)
	return fi, had && o.kind == was.kind && o.ino == was.ino && o.dev == was.dev && (o.kind == channel.NodeDir || o.mtime == was.mtime && o.size == was.size), nil
}

// remember notes the host's object at rel as this side left it.
func (c *collector) remember(rel, target string) error {
	fi, err := c.t.root.Lstat(rel)
	if err != nil {
		return err
	}
	_, o := node(rel, fi)
	o.target = target
	c.t.has[rel] = o
	return nil
}

func (c *collector) dir(n channel.Node) error {
	fi, asLeft, err := c.now(n.Path)
	if err != nil {
		return err
	}
	mode := fs.FileMode(n.Mode & 0o777)
	switch {
	case fi != nil && fi.IsDir():
		if was, ok := c.t.has[n.Path]; ok && was.mode&0o777 != n.Mode&0o777 {
			if err := c.t.root.Chmod(n.Path, mode); err != nil {
				return err
			}
			return c.remember(n.Path, "")
		}
		if _, ok := c.t.has[n.Path]; !ok {
			return c.remember(n.Path, "")
		}
		return nil
	case fi != nil && !asLeft:
		return errConflict
	case fi != nil:
		if err := c.t.root.Remove(n.Path); err != nil {
			return err
		}
	}
	if err := c.t.root.Mkdir(n.Path, mode|0o700); err != nil {
		return err
	}
	if err := c.t.root.Chmod(n.Path, mode|0o700); err != nil {
		return err
	}
	return c.remember(n.Path, "")
}

func (c *collector) link(n channel.Node) error {
	fi, asLeft, err := c.now(n.Path)
	if err != nil {
		return err
	}
	if was, ok := c.t.has[n.Path]; ok && asLeft && was.kind == channel.NodeLink && was.target == n.Target {
		return nil
	}
	if fi != nil && fi.Mode()&fs.ModeSymlink != 0 {
		if target, err := c.t.root.Readlink(n.Path); err == nil && target == n.Target {
			return c.remember(n.Path, n.Target)
		}
	}
	if !asLeft {
		return errConflict
	}
	if fi != nil {
		if err := c.t.root.Remove(n.Path); err != nil {
			return err
		}
	}
	if err := c.t.root.Symlink(n.Target, n.Path); err != nil {
		return err
	}
	return c.remember(n.Path, n.Target)
}

// file writes a file aside and puts it in its place: there is the old one or the
// new one, and a link there is replaced and not followed.
func (c *collector) file(n channel.Node, content io.Reader) (err error) {
	fi, asLeft, err := c.now(n.Path)
	if err != nil {
		return err
	}
	if !asLeft {
		return errConflict
	}
	if fi != nil && fi.IsDir() { // if it is empty; else it is, when this is done again
		if err := c.t.root.Remove(n.Path); err != nil {
			return err
		}
	}
	tmp := aside.Name() // a launcher that was killed may have left one
	if d := parent(n.Path); d != "." {
		tmp = d + "/" + tmp
	}
	mode := fs.FileMode(n.Mode & 0o777)
	f, err := c.t.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	aside.Hold(f)
	defer func() {
		if err != nil {
			_ = c.t.root.Remove(tmp) // err says more
		}
	}()
	unchanged, err := c.t.receive(f, n, content)
	if fi != nil {
		if st, ok := sys(fi); ok && os.Geteuid() == 0 {
			err = errors.Join(err, f.Chown(int(st.Uid), int(st.Gid)))
		}
	}
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err != nil {
		return err
	}
	if unchanged {
		return c.t.root.Remove(tmp)
	}
	when := time.Unix(0, n.Time)
	if n.Opened {
		when = time.Now() // the guest has none for it
	}
	if err := c.t.root.Chtimes(tmp, when, when); err != nil {
		return err
	}
	if err := c.t.root.Rename(tmp, n.Path); err != nil {
		return err
	}
	return c.remember(n.Path, "")
}

// receive writes the content of a file to f. unchanged says that the host has a file with
// that already, of one that may not have changed.
func (t *tree) receive(f io.Writer, n channel.Node, content io.Reader) (unchanged bool, err error) {
	if !n.Opened {
		_, err = io.Copy(f, content)
		return false, err
	}
	came := newHashed(content)
	_, err = io.Copy(f, came)
	return err == nil && t.hasContent(n.Path, came.taken()), err
}

// hasContent reports whether the host has a file at rel with some content.
func (t *tree) hasContent(rel string, want taken) bool {
	f, err := t.root.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() || fi.Size() != want.size {
		return false
	}
	there := newHashed(f)
	_, err = io.Copy(io.Discard, there)
	return err == nil && there.taken() == want
}

// remove removes what the guest has no longer, deepest first, where the host has
// it still as it was copied.
func (c *collector) remove() {
	if c.t.root == nil {
		return
	}
	var gone []string
	for rel := range c.t.has {
		if !c.seen[rel] && rel != "." {
			gone = append(gone, rel)
		}
	}
	slices.SortFunc(gone, func(a, b string) int { return strings.Compare(b, a) })
	for _, rel := range gone {
		fi, asLeft, err := c.now(rel)
		switch {
		case err != nil:
			c.failed = append(c.failed, fmt.Sprintf("%s: %v", rel, err))
			continue
		case fi == nil:
		case c.t.above(rel):
			continue
		case !asLeft:
			c.conflicts = append(c.conflicts, rel)
			continue
		default:
			if err := c.t.root.Remove(rel); err != nil {
				c.failed = append(c.failed, fmt.Sprintf("%s: %v", rel, err))
				continue
			}
		}
		delete(c.t.has, rel)
	}
}
