//go:build linux

package inside

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// A Spot is where on this machine something is to be made: an open folder, and the name
// in it. It is asked for when it is known what there is to be made.
type Spot func() (dir *os.File, name string, err error)

// Out copies a file or a folder of a session to a spot of this machine.
func (c *Copier) Out(fs Files, from string, to Spot) error {
	src, st, err := fs.source(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dir, name, err := to()
	if err != nil {
		return err
	}
	defer dir.Close()
	return c.out(src, disk{dir: dir}, name, from, st)
}

// source opens what is to be copied out.
func (fs Files) source(from string) (src *os.File, st unix.Stat_t, err error) {
	src, _, err = fs.Open(Wanted{Path: from, Flags: ToRead})
	if err != nil {
		return nil, st, err
	}
	if st, err = statOf(src); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		err = fmt.Errorf("%s in the session is neither a file nor a folder", quoted(from))
	}
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && !fs.Within {
		if err = whole(src); err != nil {
			err = fmt.Errorf("copy %s: %w", quoted(from), err)
		}
	}
	if err != nil {
		return nil, st, errors.Join(err, src.Close())
	}
	return src, st, nil
}

// out copies what was opened in a session.
func (c *Copier) out(src *os.File, to place, name, shown string, st unix.Stat_t) error {
	c.session = true
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		return c.file(src, to, name, st)
	}
	return c.folder(src, to, name, shown, st, 0)
}

// In copies a file or a folder that is open here into a session.
func (c *Copier) In(fs Files, src *os.File, shown, to string) error {
	st, err := fileOrFolder(src, shown)
	if err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		dst, err := fs.target(to, path.Base(src.Name()), st.Mode&0o777)
		if err != nil {
			return err
		}
		return errors.Join(c.pour(src, dst, st), dst.Close())
	}
	dst, err := fs.targetFolder(to, st.Mode&0o777)
	if err != nil {
		return err
	}
	return errors.Join(c.within(src, dst, shown, 0), dst.close())
}

// fileOrFolder is what is open here.
func fileOrFolder(src *os.File, shown string) (st unix.Stat_t, err error) {
	st, err = statOf(src)
	if kind := st.Mode & unix.S_IFMT; err == nil && kind != unix.S_IFREG && kind != unix.S_IFDIR {
		err = fmt.Errorf("%s is neither a file nor a folder", quoted(shown))
	}
	return st, err
}

// target opens the file of a session that something is copied to: in a folder, if it is
// one.
func (fs Files) target(to, base string, mode uint32) (*os.File, error) {
	dst, err := fs.create(to, mode)
	if errors.Is(err, unix.EISDIR) {
		dst, err = fs.create(path.Join(to, base), mode)
	}
	return dst, err
}

func (fs Files) create(to string, mode uint32) (*os.File, error) {
	flags := toWrite
	if fs.Within {
		if dir, err := os.OpenFile(path.Dir(path.Clean(to)), unix.O_PATH|unix.O_DIRECTORY, 0); err == nil {
			if fs.grows(dir) {
				flags = flags&^unix.O_TRUNC | unix.O_EXCL
			}
			_ = dir.Close() // it was only looked at
		}
	}
	f, _, err := fs.Open(Wanted{Path: to, Flags: flags, Mode: mode})
	return f, err
}

// targetFolder opens the folder of a session that is copied into.
func (fs Files) targetFolder(to string, mode uint32) (place, error) {
	dst, _, err := fs.Open(Wanted{Path: to, Flags: unix.O_DIRECTORY | unix.O_CREAT | unix.O_NOFOLLOW | ToRead, Mode: mode})
	if err != nil {
		return nil, err
	}
	if !fs.Within {
		if err := whole(dst); err != nil {
			return nil, errors.Join(fmt.Errorf("copy into %s: %w", quoted(to), err), dst.Close())
		}
	}
	return disk{dst, &fs}, nil
}

// Send puts a file or a folder that is open here on a pipe, for who has the order to
// take it in.
func (c *Copier) Send(src *os.File, shown string, to io.Writer) error {
	st, err := fileOrFolder(src, shown)
	if err != nil {
		return err
	}
	s, base := streamed{frameWriter{to}, true}, path.Base(src.Name())
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		return c.file(src, s, base, st)
	}
	return c.folder(src, s, base, shown, st, 0)
}

// Take makes what comes over a pipe at a spot of this machine.
func (c *Copier) Take(from io.Reader, shown string, to Spot) error {
	f := frameReader{from}
	kind, n, err := f.node()
	if err != nil {
		return err
	}
	if n == nil {
		return fmt.Errorf("%w: nothing begins", errFrame)
	}
	dir, name, err := to()
	if err != nil {
		return err
	}
	at := disk{dir: dir}
	defer at.close() //nolint:errcheck // it was only worked in
	n.Name = []byte(name)
	if kind == frameFile {
		return c.take(f, at, n, shown)
	}
	in, err := at.folder(name, n.Mode&0o777)
	if err != nil {
		return fmt.Errorf("make %s: %w", quoted(name), err)
	}
	return errors.Join(c.receive(f, in, shown, 0), in.close())
}

// takeIn makes what comes over a pipe in the session that this process is in.
func (c *Copier) takeIn(fs Files, from io.Reader, to string) error {
	f := frameReader{from}
	kind, n, err := f.node()
	if err != nil {
		return err
	}
	switch {
	case n == nil:
		return fmt.Errorf("%w: nothing begins", errFrame)
	case kind == frameFolder:
		dst, err := fs.targetFolder(to, n.Mode&0o777)
		if err != nil {
			return err
		}
		return errors.Join(c.receive(f, dst, to, 0), dst.close())
	}
	dst, err := fs.target(to, string(n.Name), n.Mode&0o777)
	if err != nil {
		return err
	}
	st, err := statOf(dst)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("what is there is no file")
	}
	var size int64
	if err == nil {
		size, err = io.Copy(dst, &content{f: f})
	}
	if err = errors.Join(err, dst.Close()); err == nil {
		c.took(size)
	}
	return err
}
