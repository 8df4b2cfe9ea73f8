//go:build linux

package inside

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A Copier copies files and folders between open folders, and follows no link.
//
// Security: one of the two may be changed while it is copied, by a program that
// wants something else to be read or written. Each name is opened from the folder
// that it was found in, without links and without leaving it or its mount; what was
// opened is looked at, and not looked up again.
type Copier struct {
	Files int
	Bytes int64
	Left  []string // names that were left out, with the reason

	session bool // what is copied is a session's
}

// A place is a folder that copies go to.
type place interface {
	// folder makes one in it, or takes the one that is there.
	folder(name string, mode uint32) (place, error)
	// file makes one of what there is to read, under its name when it is whole, and
	// says how large it became.
	file(name string, mode uint32, from io.Reader) (int64, error)
	close() error
}

const (
	// deepest bounds how deep folders are copied: each level takes two descriptors.
	deepest = 200
	// mostAtOnce is how much of a file is copied that does not say its size, as those
	// of /proc.
	mostAtOnce = 16 << 20
	// mostLeft bounds what is said of what was left out.
	mostLeft = 1000
	beneath  = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
)

// inSource does something in the folder that is copied: with a session's rights where it
// is a session's.
func (c *Copier) inSource(do func() error) error {
	if c.session {
		return asSession(do)
	}
	return do()
}

// disk is a folder that is open here: a session's, or this machine's.
type disk struct {
	dir *os.File
	fs  *Files // nil: it is this machine's
}

func (d disk) do(do func() error) error {
	if d.fs != nil {
		return asSession(do)
	}
	return do()
}

func (d disk) close() error { return d.dir.Close() }

func (d disk) folder(name string, mode uint32) (to place, err error) {
	err = d.do(func() error {
		if err := unix.Mkdirat(int(d.dir.Fd()), name, mode&0o777|0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		f, err := openIn(d.dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		to = disk{f, d.fs}
		return err
	})
	return to, err
}

func (d disk) file(name string, mode uint32, from io.Reader) (n int64, err error) {
	fs := Files{}
	if d.fs != nil {
		fs = *d.fs
	}
	aside := ".ambit-cp-" + rand.Text()
	err = d.do(func() error {
		dst, err := openIn(d.dir, aside, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode&0o777)
		if err != nil {
			return err
		}
		n, err = io.Copy(dst, from)
		if err = errors.Join(err, dst.Close()); err == nil {
			err = fs.putInPlace(d.dir, aside, name)
		}
		if err != nil {
			_ = unix.Unlinkat(int(d.dir.Fd()), aside, 0) // it may be under its name
		}
		return err
	})
	return n, err
}

func statOf(f *os.File) (st unix.Stat_t, err error) {
	err = unix.Fstat(int(f.Fd()), &st)
	return st, err
}

// whole refuses a folder of a view that asks, of which only names are there: to
// walk it from outside would ask in the place of the program.
func whole(dir *os.File) error {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return err
	}
	if st.Type == unix.FUSE_SUPER_MAGIC {
		return errors.New("it is a folder of which only what was granted is there; name one that was granted")
	}
	return nil
}

// grows reports whether nothing can be renamed in a folder: files there only grow, or
// only names are there.
func (fs Files) grows(dir *os.File) bool {
	if !fs.Within {
		return whole(dir) != nil
	}
	at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
	return err != nil || slices.ContainsFunc(fs.Grows, func(p string) bool { return at == p || strings.HasPrefix(at, p+"/") })
}

// putInPlace gives a file of a folder the name of another one, which it replaces.
func (fs Files) putInPlace(dir *os.File, aside, name string) error {
	if err := fs.unmounted(dir, name); err != nil {
		return err
	}
	return unix.Renameat(int(dir.Fd()), aside, int(dir.Fd()), name)
}

// unmounted refuses a name of a session's folder on which something is mounted there.
//
// Security: what is denied beneath a grant has a mount on it in the session, where nothing
// can be done to the name for that reason. From outside something could: the kernel keeps
// a mount of another namespace from nobody who renames or removes what is beneath it, and
// takes it away. Then a file that the program must not change would be another one, and
// open to it.
func (fs Files) unmounted(dir *os.File, name string) error {
	if fs.Within {
		return nil
	}
	var st unix.Statx_t
	err := unix.Statx(int(dir.Fd()), name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return err
	case st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT == 0:
		return unix.ENOTSUP // a kernel that does not say so
	case st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0:
		return unix.EBUSY
	}
	return nil
}

func openIn(dir *os.File, name string, flags int, mode uint32) (*os.File, error) {
	how := &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Mode: uint64(mode), Resolve: beneath}
	fd, err := unix.Openat2(int(dir.Fd()), name, how)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// what is to be read of a file: what it has now. One that grows meanwhile does not go on
// for ever.
func what(src *os.File, st unix.Stat_t) io.Reader {
	if st.Size == 0 {
		return io.LimitReader(src, mostAtOnce)
	}
	return io.LimitReader(src, st.Size)
}

// file copies a file into a place.
func (c *Copier) file(src *os.File, to place, name string, st unix.Stat_t) error {
	n, err := to.file(name, st.Mode&0o777, what(src, st))
	if err != nil {
		return fmt.Errorf("make %s: %w", quoted(name), err)
	}
	c.took(n)
	return nil
}

func (c *Copier) took(n int64) {
	c.Files++
	c.Bytes += n
}

// pour copies a file into one that is open.
func (c *Copier) pour(src, dst *os.File, st unix.Stat_t) error {
	to, err := statOf(dst)
	if err != nil {
		return err
	}
	if to.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("what is there is no file")
	}
	n, err := io.Copy(dst, what(src, st))
	if err != nil {
		return err
	}
	c.took(n)
	return nil
}

// folder makes a folder and copies into it.
func (c *Copier) folder(src *os.File, to place, name, shown string, st unix.Stat_t, depth int) error {
	dst, err := to.folder(name, st.Mode&0o777)
	if err != nil {
		return fmt.Errorf("make %s: %w", quoted(name), err)
	}
	return errors.Join(c.within(src, dst, shown, depth), dst.close())
}

// within copies what is in one folder into another.
func (c *Copier) within(src *os.File, dst place, shown string, depth int) error {
	names, err := namesOf(src)
	if err != nil {
		return fmt.Errorf("read %s: %w", quoted(shown), err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.entry(src, dst, name, path.Join(shown, name), depth); err != nil {
			return err
		}
	}
	return nil
}

// entry copies one name of a folder, or leaves it out.
func (c *Copier) entry(src *os.File, dst place, name, at string, depth int) error {
	var look unix.Stat_t
	if err := c.inSource(func() error { return unix.Fstatat(int(src.Fd()), name, &look, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return c.leave(at, err.Error())
	}
	switch look.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR:
	case unix.S_IFLNK:
		return c.leave(at, "a link")
	default:
		return c.leave(at, "neither a file nor a folder")
	}
	var from *os.File
	err := c.inSource(func() (err error) {
		from, err = openIn(src, name, ToRead|unix.O_NOFOLLOW, 0)
		return err
	})
	if err != nil {
		return c.leave(at, err.Error())
	}
	defer from.Close()
	st, err := statOf(from)
	switch {
	case err != nil:
		return c.leave(at, err.Error())
	case st.Mode&unix.S_IFMT == unix.S_IFREG:
		if err := c.file(from, dst, name, st); err != nil {
			return c.leave(at, err.Error())
		}
		return nil
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return c.leave(at, "it has become something else")
	case depth >= deepest:
		return c.leave(at, "too deep")
	}
	return c.folder(from, dst, name, at, st, depth+1)
}

func (c *Copier) leave(at, why string) error {
	if len(c.Left) >= mostLeft {
		return fmt.Errorf("more than %d names cannot be copied", mostLeft)
	}
	c.Left = append(c.Left, at+" ("+why+")")
	return nil
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// NameIn reports whether a name stands for something in a folder.
func NameIn(s string) bool {
	return s != "" && s != "." && s != ".." && s != "/" && !strings.ContainsAny(s, "/\x00")
}
