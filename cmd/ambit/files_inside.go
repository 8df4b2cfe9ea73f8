package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// An insider looks after files of a session.
//
// Security: a path is walked inside (enforce.Opener). What is done here is done by the
// descriptor that came of it, with one name that has no slash in it and is not followed, and
// with no capability (asSession): root's rights over files are the host's, and a program
// in a session has none of them.
type insider struct{ open insideOpener }

// mostNames bounds how much of a folder is read.
const mostNames = 1_000_000

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

// list are names of a folder behind one, in their order.
func (in insider) list(name, after string, limit int) (p filesPage, err error) {
	dir, _, err := in.open(wanted{path: name, flags: unix.O_DIRECTORY | toRead, deed: deedLook})
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
	onlyNames := whole(dir) != nil
	p.Entries = make([]entryInside, 0, len(names))
	return p, asSession(func() error {
		for _, n := range names {
			e := entryInside{Type: "unknown"}
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
		case len(names) > mostNames:
			return nil, fmt.Errorf("it has more than %d names", mostNames)
		}
	}
}

// is fills in what a name stands for. at and name are where a link is read.
func (e *entryInside) is(st unix.Stat_t, at int, name string) {
	kinds := map[uint32]string{unix.S_IFREG: "file", unix.S_IFDIR: "folder", unix.S_IFLNK: "link", unix.S_IFIFO: "pipe", unix.S_IFSOCK: "socket", unix.S_IFCHR: "device", unix.S_IFBLK: "device"}
	e.Type, e.Size, e.Mode = kinds[st.Mode&unix.S_IFMT], st.Size, st.Mode&0o7777
	e.Modified = time.Unix(st.Mtim.Unix()).UTC()
	if e.Type == "link" {
		to := make([]byte, unix.PathMax)
		if n, err := unix.Readlinkat(at, name, to); err == nil {
			e.Target = strings.ToValidUTF8(string(to[:n]), "\ufffd")
		}
	}
}

// look finds what a path is, and opens nothing.
func (in insider) look(name string, flags int) (f *os.File, st unix.Stat_t, err error) {
	f, _, err = in.open(wanted{path: name, flags: unix.O_PATH | unix.O_CLOEXEC | flags, deed: deedLook})
	if err != nil {
		return nil, st, err
	}
	if st, err = statOf(f); err != nil {
		return nil, st, errors.Join(err, f.Close())
	}
	return f, st, nil
}

func (in insider) stat(name string) (e entryInside, err error) {
	f, st, err := in.look(name, unix.O_NOFOLLOW)
	if err != nil {
		return e, err
	}
	defer f.Close()
	e.named(path.Base(path.Clean(name)))
	e.is(st, int(f.Fd()), "")
	return e, nil
}

// read writes out a part of a file; length 0 is to its end.
func (in insider) read(name string, to io.Writer, offset, length int64) (c filesCopied, err error) {
	seen, st, err := in.look(name, 0)
	if err != nil {
		return c, err
	}
	defer seen.Close()
	if err := regular(st, name); err != nil {
		return c, err
	}
	f, _, err := in.open(wanted{path: name, flags: toRead, deed: deedCopy})
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
		return c, fmt.Errorf("read %s: %w", shellWord(name), err)
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
		return fmt.Errorf("%s is a folder: %w", shellWord(name), unix.EISDIR)
	}
	return fmt.Errorf("%s is no file, and is not opened: %w", shellWord(name), unix.EINVAL)
}

// beside is the folder that a path is in, and its name there.
func (in insider) beside(name, deed string) (dir *os.File, base string, most int64, err error) {
	clean := path.Clean(name)
	base = path.Base(clean)
	if !path.IsAbs(name) || !nameIn(base) || strings.HasSuffix(name, "/.") {
		return nil, "", 0, fmt.Errorf("%s names nothing that can be made or removed: %w", shellWord(name), unix.EINVAL)
	}
	dir, most, err = in.open(wanted{path: path.Dir(clean), flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, deed: deed, about: clean})
	return dir, base, most, err
}

// write puts a file in its place, whole or not at all.
func (in insider) write(name string, from io.Reader) (n int64, err error) {
	dir, base, most, err := in.beside(name, deedWrite)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	if whole(dir) != nil {
		return in.writeThere(name, from)
	}
	aside := ".ambit-new-" + rand.Text()
	err = asSession(func() error {
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
		dst, err := openIn(dir, aside, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
		if err != nil {
			return err
		}
		n, err = pourMost(dst, from, most)
		if err == nil {
			err = putInPlace(dir, aside, base)
		}
		if err != nil {
			_ = unix.Unlinkat(int(dir.Fd()), aside, 0) // it may be under its name
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("write %s in the session: %w", shellWord(name), err)
	}
	return n, nil
}

// writeThere writes a new file where it is to be: nothing can be renamed there.
func (in insider) writeThere(name string, from io.Reader) (n int64, err error) {
	dst, most, err := in.open(wanted{path: name, flags: unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_NOCTTY | unix.O_CLOEXEC, mode: 0o644, deed: deedWrite})
	if err != nil {
		return 0, err
	}
	n, err = pourMost(dst, from, most)
	if err != nil {
		return 0, fmt.Errorf("write %s in the session: %w", shellWord(name), err)
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

func (in insider) remove(name string, folder bool) error {
	dir, base, _, err := in.beside(name, deedRemove)
	if err != nil {
		return err
	}
	defer dir.Close()
	flags := 0
	if folder {
		flags = unix.AT_REMOVEDIR
	}
	err = asSession(func() error {
		if err := unmounted(dir, base); err != nil {
			return err
		}
		return unix.Unlinkat(int(dir.Fd()), base, flags)
	})
	if err != nil {
		return fmt.Errorf("remove %s in the session: %w", shellWord(name), err)
	}
	return nil
}

func (in insider) mkdir(name string) error {
	dir, base, _, err := in.beside(name, deedMake)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := asSession(func() error { return unix.Mkdirat(int(dir.Fd()), base, 0o755) }); err != nil {
		return fmt.Errorf("make %s in the session: %w", shellWord(name), err)
	}
	return nil
}
