package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A copier copies files and folders between open folders, and follows no link.
//
// Security: one of the two may be changed while it is copied, by a program that
// wants something else to be read or written. Each name is opened from the folder
// that it was found in, without links and without leaving it or its mount; what was
// opened is looked at, and not looked up again.
type copier struct {
	outOf bool // what is copied is the session's; else where it goes to is
	files int
	bytes int64
	left  []string // names that were left out, with the reason
}

const (
	// deepest bounds how deep folders are copied: each level takes two descriptors.
	deepest = 200
	// mostAtOnce is how much of a file is copied that does not say its size, as those
	// of /proc.
	mostAtOnce = 16 << 20
	beneath    = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV
)

// inSource does something in the folder that is copied, and inTarget in the one that it
// is copied to: with a session's rights where it is the session's.
func (c *copier) inSource(do func() error) error {
	if c.outOf {
		return asSession(do)
	}
	return do()
}

func (c *copier) inTarget(do func() error) error {
	if !c.outOf {
		return asSession(do)
	}
	return do()
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

// putInPlace gives a file of a folder the name of another one, which it replaces.
func putInPlace(dir *os.File, aside, name string) error {
	if err := unmounted(dir, name); err != nil {
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
func unmounted(dir *os.File, name string) error {
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

// file puts a file into a folder, under its name when it is whole.
func (c *copier) file(src, dir *os.File, name string, st unix.Stat_t) error {
	aside := ".ambit-cp-" + rand.Text()
	err := c.inTarget(func() error {
		dst, err := openIn(dir, aside, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, st.Mode&0o777)
		if err != nil {
			return err
		}
		err = errors.Join(c.pour(src, dst, st), dst.Close())
		if err == nil {
			err = putInPlace(dir, aside, name)
		}
		if err != nil {
			_ = unix.Unlinkat(int(dir.Fd()), aside, 0) // it may be under its name
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("make %s: %w", shellWord(name), err)
	}
	return nil
}

// pour copies what a file has now. One that grows meanwhile does not go on for ever.
func (c *copier) pour(src, dst *os.File, st unix.Stat_t) error {
	to, err := statOf(dst)
	if err != nil {
		return err
	}
	if to.Mode&unix.S_IFMT != unix.S_IFREG {
		return errors.New("what is there is no file")
	}
	most := st.Size
	if most == 0 {
		most = mostAtOnce
	}
	n, err := io.Copy(dst, io.LimitReader(src, most))
	c.bytes += n
	if err == nil {
		c.files++
	}
	return err
}

// folder makes a folder and copies into it.
func (c *copier) folder(src, dir *os.File, name, shown string, st unix.Stat_t, depth int) error {
	var dst *os.File
	err := c.inTarget(func() (err error) {
		if err = unix.Mkdirat(int(dir.Fd()), name, st.Mode&0o777|0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		dst, err = openIn(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		return err
	})
	if err != nil {
		return fmt.Errorf("make %s: %w", shellWord(name), err)
	}
	defer dst.Close()
	return c.within(src, dst, shown, depth)
}

// within copies what is in one folder into another.
func (c *copier) within(src, dst *os.File, shown string, depth int) error {
	names, err := src.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("read %s: %w", shellWord(shown), err)
	}
	slices.Sort(names)
	for _, name := range names {
		at := shown + "/" + name
		if err := c.entry(src, dst, name, at, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry copies one name of a folder, or leaves it out.
func (c *copier) entry(src, dst *os.File, name, at string, depth int) error {
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
		from, err = openIn(src, name, toRead|unix.O_NOFOLLOW, 0)
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

// mostLeft bounds what is said of what was left out.
const mostLeft = 1000

func (c *copier) leave(at, why string) error {
	if len(c.left) >= mostLeft {
		return fmt.Errorf("more than %d names cannot be copied", mostLeft)
	}
	c.left = append(c.left, at+" ("+why+")")
	return nil
}
