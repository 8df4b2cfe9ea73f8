package microvm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// taken is what was taken of a file of an append-only folder: put into the machine, or
// brought back from it.
type taken struct {
	size int64
	sum  [sha256.Size]byte // of so many bytes, as the guest has them
}

// hashed is a reader that keeps the digest of what was read.
type hashed struct {
	io.Reader
	sum  hash.Hash
	size int64
}

func newHashed(r io.Reader) *hashed { return &hashed{Reader: r, sum: sha256.New()} }

func (h *hashed) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	h.add(b[:n])
	return n, err
}

func (h *hashed) add(b []byte) {
	_, _ = h.sum.Write(b) // a digest takes everything
	h.size += int64(len(b))
}

func (h *hashed) taken() taken { return taken{h.size, [sha256.Size]byte(h.sum.Sum(nil))} }

// A grower brings back what was added to an append-only folder.
//
// Security: the guest is believed about nothing that is there. It has no way to
// remove, to name anew or to change: of a file what follows is taken, when what comes
// before is byte for byte what it was given or what was taken of it, and is added at
// the end that the host's file has by then. A name that the host has otherwise is left
// alone, and nothing is reached through a link.
type grower struct {
	tally
	t       *tree
	refused []string
	failed  []string
}

// used is what an append-only folder holds, of what was copied.
func (t *tree) used() (bytes, files int64) {
	for rel, o := range t.has {
		if rel != "." || t.root == nil {
			files++
		}
		if o.kind == channel.NodeFile {
			bytes += o.size
		}
	}
	return bytes, files
}

// take looks at one thing that the guest has. An error ends the collection.
func (g *grower) take(n channel.Node, content io.Reader) error {
	if err := g.count(n); err != nil {
		return err
	}
	was, had := g.t.has[n.Path]
	if _, kept := g.t.keeps(n.Path); kept || n.Same || n.Path == "." && g.t.root != nil {
		return nil
	}
	var err error
	switch {
	case g.t.fixes(n.Path), had && was.kind != n.Kind, n.Kind == channel.NodeLink && (!had || was.target != n.Target):
		g.refused = append(g.refused, n.Path)
	case n.Kind == channel.NodeDir && !had:
		err = g.folder(n)
	case n.Kind == channel.NodeFile:
		err = g.file(n, content)
	default:
	}
	switch {
	case errors.Is(err, errNotAdded):
		g.refused = append(g.refused, n.Path)
	case err != nil:
		g.failed = append(g.failed, fmt.Sprintf("%s: %v", n.Path, err))
	}
	return nil
}

var (
	errNotAdded = errors.New("it was changed otherwise than by adding to it")
	errFull     = errors.New("the bound of what may lie there is reached")
)

// fixes reports whether something may be read, and not added to.
func (t *tree) fixes(rel string) bool {
	return slices.ContainsFunc(t.entry.Denied, func(d enforce.Denied) bool { return d.Read && beneath(rel, d.Path) })
}

// room is for how many bytes more, and whether for one file more, there is room.
func (g *grower) room() (bytes int64, file bool) {
	usedBytes, usedFiles := g.t.used()
	e := &g.t.entry
	bytes = int64(1) << 62
	if e.Size > 0 {
		bytes = max(e.Size-usedBytes, 0)
	}
	return bytes, e.Files == 0 || usedFiles < e.Files
}

// place refuses to make something where no folder is that was copied or made.
func (g *grower) place(rel string) error {
	if o, ok := g.t.has[parent(rel)]; !ok || o.kind != channel.NodeDir {
		return errNotAdded
	}
	if _, ok := g.room(); !ok {
		return errFull
	}
	return nil
}

func (g *grower) folder(n channel.Node) error {
	if err := g.place(n.Path); err != nil {
		return err
	}
	if err := g.t.root.Mkdir(n.Path, fs.FileMode(n.Mode&0o777)|0o700); err != nil {
		return err
	}
	return g.note(n.Path)
}

// note remembers what was made.
func (g *grower) note(rel string) error {
	fi, err := g.t.root.Lstat(rel)
	if err != nil {
		return err
	}
	_, o := node(rel, fi)
	g.t.has[rel] = o
	return nil
}

// file takes what follows after what was taken before.
func (g *grower) file(n channel.Node, content io.Reader) error {
	was := g.t.taken[n.Path]
	from := newHashed(content)
	if _, err := io.CopyN(io.Discard, from, was.size); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if n.Size < was.size || was.size > 0 && from.taken() != was {
		return errNotAdded
	}
	f, err := g.open(n)
	if err != nil {
		return err
	}
	defer f.Close() // each write was answered
	return g.add(n.Path, f, from, content)
}

// open opens the host's file to be added to, or makes it.
func (g *grower) open(n channel.Node) (*os.File, error) {
	had, ok := g.t.has[n.Path]
	if !ok {
		if err := g.place(n.Path); err != nil {
			return nil, err
		}
		f, err := g.t.root.OpenFile(n.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, fs.FileMode(n.Mode&0o777))
		if err != nil {
			return nil, err
		}
		return f, g.note(n.Path)
	}
	const flags = os.O_WRONLY | os.O_APPEND | unix.O_NONBLOCK
	var f *os.File
	var err error
	if g.t.root == nil {
		f, err = os.OpenFile(g.t.self(), flags, 0)
	} else {
		// os.Root follows links that stay beneath it, whatever the flags.
		if fi, err := g.t.root.Lstat(n.Path); err != nil || !fi.Mode().IsRegular() {
			return nil, errors.Join(errNotAdded, err)
		}
		f, err = g.t.root.OpenFile(n.Path, flags, 0)
	}
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	if err == nil && (st.Dev != had.dev || st.Ino != had.ino || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0) {
		err = errNotAdded
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// add adds what is left of content, piece by piece, each under the lock that servers of
// such folders take for a write.
func (g *grower) add(rel string, f *os.File, from *hashed, content io.Reader) error {
	b := make([]byte, 1<<17)
	for {
		n, err := io.ReadFull(content, b)
		if n > 0 {
			done, failed := g.write(rel, f, b[:n])
			from.add(b[:done])
			g.t.taken[rel] = from.taken()
			if failed != nil {
				return failed
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			if _, ok := g.t.taken[rel]; !ok { // nothing was in it
				g.t.taken[rel] = from.taken()
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (g *grower) write(rel string, f *os.File, b []byte) (int, error) {
	room, _ := g.room()
	cut := b[:min(int64(len(b)), room)]
	unlock, err := g.t.exclusive()
	if err != nil {
		return 0, err
	}
	defer unlock()
	n, err := f.Write(cut)
	o := g.t.has[rel]
	o.size += int64(n)
	g.t.has[rel] = o
	if err == nil && len(cut) < len(b) {
		err = errFull
	}
	return n, err
}

// exclusive takes the lock of an append-only folder, which everybody holds for one
// write.
func (t *tree) exclusive() (unlock func(), err error) {
	fd, err := unix.Open(t.self(), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(answerIn); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { _ = unix.Close(fd) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			return nil, errors.Join(fmt.Errorf("lock it: %w", err), unix.Close(fd))
		}
	}
}

// finish says what was not taken: what the guest has no longer is there.
func (g *grower) finish() error {
	for rel := range g.t.has {
		if !g.seen[rel] && rel != "." {
			g.refused = append(g.refused, rel)
		}
	}
	slices.Sort(g.refused)
	var all []error
	if len(g.refused) > 0 {
		all = append(all, fmt.Errorf("what the program did in append-only %q to %s, but for adding to them, was not taken: they are as they were", g.t.entry.Path, few(g.refused)))
	}
	if len(g.failed) > 0 {
		all = append(all, fmt.Errorf("files of %q could not be brought back: %s", g.t.entry.Source, few(g.failed)))
	}
	return errors.Join(all...)
}
