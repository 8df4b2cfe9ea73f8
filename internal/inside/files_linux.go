//go:build linux

package inside

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/aside"
)

// Files are those of a session.
//
// Security: a path is walked inside (enforce.Opener). What is done here is done by the
// descriptor that came of it, with one name that has no slash in it and is not followed, and
// with no capability (asSession): root's rights over files are the host's, and a program
// in a session has none of them.
type Files struct {
	Open Opener
	// Within says that this process is in the session: there its kernel keeps what is
	// mounted on a name from being removed or replaced.
	Within bool
	// Grows are the folders where files only grow, if it is Within: from outside they
	// are known by their file system.
	Grows []string
	// Shown are the paths of which the view says something of its own, if it is Within.
	Shown []string
}

// An Opener opens a path in a session. most is how large a file may become there.
type Opener func(Wanted) (f *os.File, most int64, err error)

// A Wanted is a path of a session that is to be opened.
type Wanted struct {
	Path  string
	Flags int
	Mode  uint32
	Deed  string // why, which is recorded
	About string // of what that is recorded; "": of the path
}

// Why a path is opened.
const (
	DeedCopy   = ""       // to be copied, in or out by the flags
	DeedLook   = "look"   // to say what it is, or what names are in it; it is not recorded
	DeedWrite  = "write"  // to make a file in it
	DeedRemove = "remove" // to remove something in it
	DeedMake   = "make"   // to make a folder in it
	// DeedRemoveAll is to remove a folder in it, with what is in that.
	DeedRemoveAll = "remove-all"
)

// Flags with which a file is opened before it is known what it is: nothing waits.
const (
	ToRead  = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	toWrite = unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
)

// MostNames bounds how much of a folder is read.
const MostNames = 1_000_000

// An Entry is a name in a session, for programs.
type Entry struct {
	Name     string    `json:"name"`
	Raw      []byte    `json:"raw,omitempty"` // the name, where it is not UTF-8
	Type     string    `json:"type"`          // file, folder, link, pipe, socket, device or unknown
	Size     int64     `json:"size"`
	Mode     uint32    `json:"mode"` // of which the twelve bits of permissions
	Modified time.Time `json:"modified,omitzero"`
	Target   string    `json:"target,omitempty"` // of a link
}

// named gives an entry its name.
func (e *Entry) named(name string) {
	e.Name = strings.ToValidUTF8(name, "\ufffd")
	if !utf8.ValidString(name) {
		e.Raw = []byte(name)
	}
}

// A Page is some of what is in a folder, for programs.
type Page struct {
	Entries []Entry `json:"entries"`
	More    bool    `json:"more"`
}

// A Copied says for programs what was read or written.
type Copied struct {
	Bytes   int64 `json:"bytes"`
	Size    int64 `json:"size"`    // of the whole file
	Changed bool  `json:"changed"` // somebody changed it meanwhile
}

// asSession does something to files with the rights that a program of a session has:
// as this user, without any capability.
func asSession(do func() error) (err error) {
	runtime.LockOSThread()
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var was [2]unix.CapUserData
	if err := unix.Capget(&h, &was[0]); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("read the capabilities: %w", err)
	}
	less := was
	less[0].Effective, less[1].Effective = 0, 0
	if err := unix.Capset(&h, &less[0]); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("lay down the capabilities: %w", err)
	}
	err = do()
	if back := unix.Capset(&h, &was[0]); back != nil {
		return errors.Join(err, fmt.Errorf("take the capabilities up again: %w", back)) // the thread stays locked, and ends with who has it
	}
	runtime.UnlockOSThread()
	return err
}

// List are names of a folder behind one, in their order.
func (fs Files) List(name, after string, limit int) (p Page, err error) {
	dir, _, err := fs.Open(Wanted{Path: name, Flags: unix.O_DIRECTORY | ToRead, Deed: DeedLook})
	if err != nil {
		return p, err
	}
	defer dir.Close()
	names, err := namesOf(dir)
	if err != nil {
		return p, fmt.Errorf("read the folder: %w", err)
	}
	slices.Sort(names)
	if after != "" {
		at, found := slices.BinarySearch(names, after)
		if found {
			at++
		}
		names = names[at:]
	}
	p.More = len(names) > limit
	names = names[:min(len(names), limit)]
	onlyNames := fs.grows(dir)
	p.Entries = make([]Entry, 0, len(names))
	return p, asSession(func() error {
		for _, n := range names {
			e := Entry{Type: "unknown"}
			e.named(n)
			var st unix.Stat_t
			if !onlyNames && unix.Fstatat(int(dir.Fd()), n, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
				e.is(st, int(dir.Fd()), n)
			}
			p.Entries = append(p.Entries, e)
		}
		return nil
	})
}

// namesOf reads a folder that may be of any size. Nothing is looked up by a name here.
func namesOf(dir *os.File) (names []string, err error) {
	for {
		some, err := dir.Readdirnames(4096)
		names = append(names, some...)
		switch {
		case errors.Is(err, io.EOF):
			return names, nil
		case err != nil:
			return nil, err
		case len(names) > MostNames:
			return nil, fmt.Errorf("it has more than %d names", MostNames)
		}
	}
}

// is fills in what a name stands for. at and name are where a link is read.
func (e *Entry) is(st unix.Stat_t, at int, name string) {
	e.Type, e.Size, e.Mode = typeOf(st.Mode), st.Size, st.Mode&0o7777
	e.Modified = time.Unix(st.Mtim.Unix()).UTC()
	if e.Type == "link" {
		to := make([]byte, unix.PathMax)
		if n, err := unix.Readlinkat(at, name, to); err == nil {
			e.Target = strings.ToValidUTF8(string(to[:n]), "\ufffd")
		}
	}
}

// typeOf is the word for what a mode says that something is.
func typeOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "folder"
	case unix.S_IFLNK:
		return "link"
	case unix.S_IFIFO:
		return "pipe"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "device"
	}
	return ""
}

// look finds what a path is, and opens nothing.
func (fs Files) look(name string, flags int) (f *os.File, st unix.Stat_t, err error) {
	f, _, err = fs.Open(Wanted{Path: name, Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Deed: DeedLook})
	if err != nil {
		return nil, st, err
	}
	if st, err = statOf(f); err != nil {
		return nil, st, errors.Join(err, f.Close())
	}
	return f, st, nil
}

// Stat says what a path is.
func (fs Files) Stat(name string) (e Entry, err error) {
	f, st, err := fs.look(name, unix.O_NOFOLLOW)
	if err != nil {
		return e, err
	}
	defer f.Close()
	e.named(path.Base(path.Clean(name)))
	e.is(st, int(f.Fd()), "")
	return e, nil
}

// Read writes out a part of a file; length 0 is to its end.
func (fs Files) Read(name string, to io.Writer, offset, length int64) (c Copied, err error) {
	seen, st, err := fs.look(name, 0)
	if err != nil {
		return c, err
	}
	defer seen.Close()
	if err := regular(st, name); err != nil {
		return c, err
	}
	f, _, err := fs.Open(Wanted{Path: name, Flags: ToRead, Deed: DeedCopy})
	if err != nil {
		return c, err
	}
	defer f.Close()
	before, err := statOf(f)
	if err == nil {
		err = regular(before, name) // it may be another one
	}
	if err != nil {
		return c, err
	}
	c.Size = before.Size
	most := before.Size - offset
	if before.Size == 0 {
		most = mostAtOnce // as those of /proc, which do not say it
	}
	if length > 0 {
		most = min(most, length)
	}
	if most > 0 {
		c.Bytes, err = io.Copy(to, io.NewSectionReader(f, offset, most))
	}
	after, e := statOf(f)
	if err = errors.Join(err, e); err != nil {
		return c, fmt.Errorf("read %s: %w", quoted(name), err)
	}
	c.Changed = before.Size != after.Size || before.Mtim != after.Mtim || before.Ctim != after.Ctim
	return c, nil
}

// regular refuses what is no file.
func regular(st unix.Stat_t, name string) error {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFDIR:
		return fmt.Errorf("%s is a folder: %w", quoted(name), unix.EISDIR)
	}
	return fmt.Errorf("%s is no file, and is not opened: %w", quoted(name), unix.EINVAL)
}

// beside is the folder that a path is in, and its name there.
func (fs Files) beside(name, deed string) (dir *os.File, base string, most int64, err error) {
	clean := path.Clean(name)
	base = path.Base(clean)
	if !path.IsAbs(name) || !NameIn(base) || strings.HasSuffix(name, "/.") {
		return nil, "", 0, fmt.Errorf("%s names nothing that can be made or removed: %w", quoted(name), unix.EINVAL)
	}
	dir, most, err = fs.Open(Wanted{Path: path.Dir(clean), Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Deed: deed, About: clean})
	return dir, base, most, err
}

// Write puts a file in its place, whole or not at all.
func (fs Files) Write(name string, from io.Reader) (n int64, err error) {
	dir, base, most, err := fs.beside(name, DeedWrite)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	if fs.grows(dir) {
		return fs.writeThere(name, from)
	}
	part := aside.Name()
	err = asSession(func() error {
		fs.clear(dir)
		mode := uint32(0o644)
		var st unix.Stat_t
		err := unix.Fstatat(int(dir.Fd()), base, &st, unix.AT_SYMLINK_NOFOLLOW)
		switch {
		case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR:
			return unix.EISDIR
		case err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG:
			mode = st.Mode & 0o777
		case err != nil && !errors.Is(err, unix.ENOENT):
			return err
		}
		dst, err := openIn(dir, part, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
		if err != nil {
			return err
		}
		aside.Hold(dst)
		n, err = pourMost(dst, from, most)
		if err == nil {
			err = fs.putInPlace(dir, part, base)
		}
		if err != nil {
			_ = unix.Unlinkat(int(dir.Fd()), part, 0) // it may be under its name
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("write %s in the session: %w", quoted(name), err)
	}
	return n, nil
}

// clear removes what was left aside in a folder by one who was killed meanwhile.
func (fs Files) clear(dir *os.File) {
	for _, name := range aside.In(int(dir.Fd())) {
		if fs.unmounted(dir, name) == nil {
			_ = unix.Unlinkat(int(dir.Fd()), name, 0) // it lies there until the next time
		}
	}
}

// writeThere writes a new file where it is to be: nothing can be renamed there.
func (fs Files) writeThere(name string, from io.Reader) (n int64, err error) {
	dst, most, err := fs.Open(Wanted{Path: name, Flags: unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_CLOEXEC, Mode: 0o644, Deed: DeedWrite})
	if err != nil {
		return 0, err
	}
	n, err = pourMost(dst, from, most)
	if err != nil {
		return 0, fmt.Errorf("write %s in the session: %w", quoted(name), err)
	}
	return n, nil
}

// pourMost fills a file with what there is to read, if it is not more than a file there
// may have: this process is not bounded as programs of the session are.
func pourMost(dst *os.File, from io.Reader, most int64) (n int64, err error) {
	n, more, err := copyMost(dst, from, most)
	if err == nil && more {
		err = unix.EFBIG
	}
	return n, errors.Join(err, dst.Close())
}

// Remove removes a file, or an empty folder.
func (fs Files) Remove(name string, folder bool) error {
	dir, base, _, err := fs.beside(name, DeedRemove)
	if err != nil {
		return err
	}
	defer dir.Close()
	flags := 0
	if folder {
		flags = unix.AT_REMOVEDIR
	}
	if fs.Within && fs.grows(dir) {
		return fmt.Errorf("remove %s in the session: files there only grow: %w", quoted(name), unix.EPERM)
	}
	err = asSession(func() error {
		if err := fs.unmounted(dir, base); err != nil {
			return err
		}
		return unix.Unlinkat(int(dir.Fd()), base, flags)
	})
	if err != nil {
		return fmt.Errorf("remove %s in the session: %w", quoted(name), err)
	}
	return nil
}

// Mkdir makes a folder in one that is there.
func (fs Files) Mkdir(name string) error {
	dir, base, _, err := fs.beside(name, DeedMake)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := asSession(func() error { return unix.Mkdirat(int(dir.Fd()), base, 0o755) }); err != nil {
		return fmt.Errorf("make %s in the session: %w", quoted(name), err)
	}
	return nil
}

// copyMost copies at most so many bytes, and says whether there were more.
func copyMost(to io.Writer, from io.Reader, most int64) (n int64, more bool, err error) {
	n, err = io.Copy(to, io.LimitReader(from, most))
	if err != nil || n < most {
		return n, false, err
	}
	var one [1]byte
	k, err := io.ReadFull(from, one[:])
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, k > 0, err
}
