package microvm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/aside"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// Bounds of what goes into a machine: copies are kept in its memory.
const (
	mostObjects = 100_000
	// copiedOf is which part of a machine's memory copies may take.
	copiedOf = 3
)

// tree is something of the host that the machine gets a copy of.
type tree struct {
	n     int
	entry enforce.Entry
	kept  []place
	fd    int      // of the object, without rights
	root  *os.Root // nil: it is a file
	has   map[string]object
	taken map[string]taken // of what is append-only
}

// object is one of the host's as it was when it was copied, or brought back.
type object struct {
	kind     channel.NodeKind
	mode     uint32
	size     int64
	mtime    unix.Timespec
	dev, ino uint64
	target   string
}

// openTree holds on to what was granted.
//
// Security: no link on the way is followed, and what is there has to be the object
// that was granted. What is read and written later is found from here, by names
// beneath it that cannot lead out (os.Root).
func openTree(n int, e enforce.Entry, kept []place) (*tree, error) {
	t := &tree{n: n, entry: e, kept: kept, has: map[string]object{}, taken: map[string]taken{}}
	var err error
	t.fd, err = unix.Openat2(unix.AT_FDCWD, e.Source, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(t.fd, &st); err != nil {
		t.close()
		return nil, err
	}
	if e.Ino != 0 && (st.Dev != e.Dev || st.Ino != e.Ino) || (st.Mode&unix.S_IFMT == unix.S_IFDIR) != e.Dir {
		t.close()
		return nil, errors.New("it was replaced since it was granted")
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		if t.root, err = os.OpenRoot(t.self()); err != nil {
			t.close()
			return nil, err
		}
	case unix.S_IFREG:
	default:
		t.close()
		return nil, errors.New("it is no file and no folder, and does not reach into a machine")
	}
	return t, nil
}

func (t *tree) self() string { return "/proc/self/fd/" + strconv.Itoa(t.fd) }

func (t *tree) close() {
	if t.root != nil {
		_ = t.root.Close() // it only stands for a folder
	}
	if t.fd >= 0 {
		_ = unix.Close(t.fd) // the same
	}
	t.fd, t.root = -1, nil
}

// keeps is what else of the view lies at rel or above it, if anything does.
func (t *tree) keeps(rel string) (k place, kept bool) {
	for _, k := range t.kept {
		if beneath(rel, k.path) {
			return k, true
		}
	}
	return place{}, false
}

// above reports whether something else of the view lies beneath rel, or would if it
// were there.
func (t *tree) above(rel string) bool {
	for _, k := range t.kept {
		if k.path != rel && beneath(k.path, rel) {
			return true
		}
	}
	return false
}

// fill copies trees into the machine.
func (s *session) fill(l *layout) error {
	s.next = len(l.trees)
	for _, t := range l.trees {
		if err := s.send(t); err != nil {
			return err
		}
		if s.asking != nil {
			s.asking.shows.hold(t)
		} else if t.entry.Write {
			s.trees = append(s.trees, t)
		}
	}
	if s.asking != nil {
		l.trees = nil // held, or closed
	}
	l.trees = slicesWithout(l.trees, s.trees) // the session closes those
	return nil
}

// send copies one tree into the machine. What was copied is counted together.
func (s *session) send(t *tree) error {
	st, err := s.channel.Stream(channel.Request{Op: channel.OpPut, Tree: t.n})
	if err != nil {
		return err
	}
	p := &putter{s: st, t: t, left: int64(s.memory())<<20/copiedOf - s.copied}
	err = p.all()
	s.skipped += p.skipped
	if err == nil {
		err = st.EndFiles()
	}
	if err == nil {
		_, err = st.Answer(soon(answerIn))
	}
	if err := errors.Join(err, st.Close()); err != nil {
		return fmt.Errorf("copy %q into the machine: %w", t.entry.Source, err)
	}
	s.copied += p.sent // half of one the guest removes
	return nil
}

func slicesWithout(all, some []*tree) (rest []*tree) {
	held := map[*tree]bool{}
	for _, t := range some {
		held[t] = true
	}
	for _, t := range all {
		if !held[t] {
			rest = append(rest, t)
		}
	}
	return rest
}

// putter sends one tree.
type putter struct {
	s       *channel.Stream
	t       *tree
	left    int64
	sent    int64
	objects int
	skipped int
}

func (p *putter) all() error {
	if p.t.root == nil {
		f, err := os.Open(p.t.self())
		if errors.Is(err, fs.ErrPermission) {
			return p.closed(".", nil)
		}
		if err != nil {
			return err
		}
		defer f.Close()
		return p.file(".", f)
	}
	return fs.WalkDir(p.t.root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
				return nil // a folder that cannot be listed is there, and empty
			}
			return err
		}
		return p.one(rel, d)
	})
}

func (p *putter) one(rel string, d fs.DirEntry) error {
	if p.objects++; p.objects > mostObjects {
		return fmt.Errorf("it has more than %d files, and a machine takes copies: grant less of it", mostObjects)
	}
	if k, kept := p.t.keeps(rel); kept {
		return p.standIn(rel, k, d)
	}
	if !utf8.ValidString(rel) {
		p.skipped++
		return skip(d)
	}
	fi, err := p.t.root.Lstat(rel)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch fi.Mode().Type() {
	case fs.ModeDir:
		n, o := node(rel, fi)
		p.t.has[rel] = o
		return p.s.Put(n, nil)
	case fs.ModeSymlink:
		n, o := node(rel, fi)
		if n.Target, err = p.t.root.Readlink(rel); err != nil || !utf8.ValidString(n.Target) {
			p.skipped++
			return nil
		}
		o.target = n.Target
		p.t.has[rel] = o
		return p.s.Put(n, nil)
	case 0:
	default:
		p.skipped++
		return nil
	}
	f, err := p.t.root.OpenFile(rel, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return p.closed(rel, fi)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if p.leftAside(rel, f) {
		_ = p.t.root.Remove(rel) // it lies there until the next time
		return nil
	}
	return p.file(rel, f)
}

// leftAside reports whether a file is one that a launcher which was killed left aside in a
// folder whose files come back.
func (p *putter) leftAside(rel string, f *os.File) bool {
	return p.t.entry.Op == enforce.OpBind && p.t.entry.Write && aside.Is(path.Base(rel)) && aside.Left(f)
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// standIn puts an empty object where something else of the view goes. One that stands
// for what is closed is closed.
func (p *putter) standIn(rel string, k place, d fs.DirEntry) error {
	if rel == k.path {
		n := channel.Node{Path: rel, Kind: channel.NodeFile, Mode: 0o444, Stands: true}
		if k.dir {
			n.Kind, n.Mode = channel.NodeDir, 0o555
		}
		if k.closed {
			n.Mode = 0
		}
		if err := p.s.Put(n, io.LimitReader(nil, 0)); err != nil {
			return err
		}
	}
	return skip(d)
}

// closed puts a file that this user cannot read.
func (p *putter) closed(rel string, fi fs.FileInfo) error {
	n := channel.Node{Path: rel, Kind: channel.NodeClosed, Stands: true}
	if fi != nil {
		was, o := node(rel, fi)
		n.UID, n.GID = was.UID, was.GID
		o.kind = channel.NodeClosed
		p.t.has[rel] = o
	}
	return p.s.Put(n, nil)
}

func (p *putter) file(rel string, f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		p.skipped++
		return nil
	}
	if p.sent += fi.Size(); p.sent > p.left {
		return fmt.Errorf("there is too much of it: a machine takes copies into its memory, and has room for %d MB more; grant less, or raise --limit memory", p.left/1_000_000)
	}
	n, o := node(rel, fi)
	p.t.has[rel] = o
	if p.t.entry.Op != enforce.OpAppend {
		return p.s.Put(n, f)
	}
	h := newHashed(io.LimitReader(f, n.Size))
	err = p.s.Put(n, h)
	p.t.taken[rel] = h.taken()
	return err
}

// node describes an object of the host, for the guest and for this side.
func node(rel string, fi fs.FileInfo) (channel.Node, object) {
	n := channel.Node{Path: rel, Kind: channel.NodeFile, Time: fi.ModTime().UnixNano()}
	switch fi.Mode().Type() {
	case fs.ModeDir:
		n.Kind = channel.NodeDir
	case fs.ModeSymlink:
		n.Kind = channel.NodeLink
	default:
		n.Size = fi.Size()
	}
	o := object{kind: n.Kind, size: n.Size}
	if st, ok := sys(fi); ok {
		o.dev, o.ino, o.mtime, o.mode = st.Dev, st.Ino, unix.Timespec(st.Mtim), st.Mode&0o7777
		n.UID, n.GID, n.Mode = int(st.Uid), int(st.Gid), st.Mode&0o7777
	}
	return n, o
}

// parent is the folder that a path lies in.
func parent(rel string) string { return path.Dir(rel) }

// machineID is an id for the guest, as systemd would have it, of the session.
func machineID(session string) []byte {
	return []byte(idOf(session) + "\n")
}

func hostname(session string) string {
	return "ambit-" + strings.ToLower(idOf(session)[:8])
}
