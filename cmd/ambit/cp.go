package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
)

func (a *app) cpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "cp {SESSION:PATH DST | SRC SESSION:PATH}",
		Short: "Copy files out of a session that runs, or into it",
		Long: `Copy a file, or a folder with what is in it, out of a session that runs or into it.

A path of the session is opened inside, with the rights that its programs have, and
is absolute. On this side no symbolic link is followed, on the way neither: a program
that may write there could have put it there. Links, pipes, sockets and devices are
not copied, and other mounts beneath a folder neither; what is left out is said.
Each copy is recorded before it is made.`,
		Example: `  ambit cp s-7f3ak2mq5x:/tmp/report.pdf .
  ambit cp data.csv s-7f3ak2mq5x:/tmp/data.csv
  ambit cp src s-7f3ak2mq5x:/tmp/`,
		Args:              exactly(2, "what to copy and where to: one of them SESSION:PATH"),
		ValidArgsFunction: a.completeCopy,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.copyFiles(cmd.Context(), args[0], args[1])
		},
	}
}

// completeCopy completes a session, or files.
func (a *app) completeCopy(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ids, _ := a.completeSessions(cmd, args, word)
	for i, id := range ids {
		name, why, _ := strings.Cut(id, "\t")
		ids[i] = name + ":/\t" + why
	}
	return ids, cobra.ShellCompDirectiveNoSpace
}

// sessionPath splits SESSION:PATH.
func sessionPath(arg string) (session, name string, ok bool) {
	session, name, ok = strings.Cut(arg, ":")
	ok = ok && strings.HasPrefix(session, "s-") && !strings.Contains(session, "/") //nolint:forbidigo // an id, not a path
	return session, name, ok
}

func (a *app) copyFiles(ctx context.Context, from, to string) error {
	fromID, fromPath, out := sessionPath(from)
	toID, toPath, in := sessionPath(to)
	if out == in {
		return errors.New("one of the two has to be SESSION:PATH, and the other a path of this machine; ./s-x:y is a file")
	}
	c := &copier{outOf: out}
	var err error
	if out {
		err = c.out(a.inside(ctx, fromID), fromPath, to)
	} else {
		err = c.in(a.inside(ctx, toID), from, toPath)
	}
	for _, l := range c.left {
		printf(a.err, "ambit: left out: %s\n", capability.Printable(l))
	}
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(struct {
			Files int      `json:"files"`
			Bytes int64    `json:"bytes"`
			Left  []string `json:"left_out"`
		}{c.files, c.bytes, append([]string{}, c.left...)})
	}
	if len(c.left) > 0 {
		err = errors.Join(err, fmt.Errorf("%d files are copied, and %d names left out", c.files, len(c.left)))
	}
	return err
}

// A wanted is a path of a session that is to be opened.
type wanted struct {
	path  string
	flags int
	mode  uint32
	deed  string // why, which is recorded
	about string // of what that is recorded; "": of the path
}

// order is what is wanted of the session.
func (w wanted) order() order {
	o := order{Verb: verbOpen, Path: w.path, Flags: w.flags, Mode: w.mode, Deed: w.deed, About: []byte(w.about)}
	if !utf8.ValidString(w.path) {
		o.Path, o.Bytes = "", []byte(w.path)
	}
	return o
}

// An insideOpener opens a path in a session. most is how large a file may become there.
type insideOpener func(wanted) (f *os.File, most int64, err error)

func (a *app) inside(ctx context.Context, session string) insideOpener {
	return func(w wanted) (*os.File, int64, error) {
		if !path.IsAbs(w.path) {
			return nil, 0, fmt.Errorf("the path %s of the session is not absolute", shellWord(w.path))
		}
		r, files, err := a.replied(ctx, session, w.order())
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			return nil, 0, fmt.Errorf("open %s in the session: %w", shellWord(w.path), errno)
		}
		if err != nil {
			return nil, 0, err
		}
		if len(files) != 1 {
			closeAll(files)
			return nil, 0, errors.New("the session handed nothing over")
		}
		return files[0], r.Most, nil
	}
}

// opens is an opener of what is copied.
func (open insideOpener) opens(name string, flags int, mode uint32) (*os.File, error) {
	f, _, err := open(wanted{path: name, flags: flags, mode: mode})
	return f, err
}

// Flags with which a file is opened before it is known what it is: nothing waits.
const (
	toRead  = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	toWrite = unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
)

// out copies out of a session.
func (c *copier) out(open insideOpener, from, to string) error {
	src, err := open.opens(from, toRead, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	st, err := statOf(src)
	if err != nil {
		return err
	}
	dir, name, err := hostPlace(to, path.Base(path.Clean(from)))
	if err != nil {
		return err
	}
	defer dir.Close()
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return c.file(src, dir, name, st)
	case unix.S_IFDIR:
		if err := whole(src); err != nil {
			return fmt.Errorf("copy %s: %w", shellWord(from), err)
		}
		return c.folder(src, dir, name, from, st, 0)
	}
	return fmt.Errorf("%s in the session is neither a file nor a folder", shellWord(from))
}

// in copies into a session.
func (c *copier) in(open insideOpener, from, to string) error {
	src, err := hostOpen(from, toRead)
	if err != nil {
		return err
	}
	defer src.Close()
	st, err := statOf(src)
	if err != nil {
		return err
	}
	kind := st.Mode & unix.S_IFMT
	if kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return fmt.Errorf("%s is neither a file nor a folder", shellWord(from))
	}
	if strings.HasSuffix(to, "/") {
		to += path.Base(src.Name())
	}
	if kind == unix.S_IFDIR {
		dst, err := open.opens(to, unix.O_DIRECTORY|unix.O_CREAT|unix.O_NOFOLLOW|toRead, st.Mode&0o777)
		if err != nil {
			return err
		}
		defer dst.Close()
		if err := whole(dst); err != nil {
			return fmt.Errorf("copy into %s: %w", shellWord(to), err)
		}
		return c.within(src, dst, from, 0)
	}
	dst, err := open.opens(to, toWrite, st.Mode&0o777)
	if errors.Is(err, unix.EISDIR) {
		dst, err = open.opens(path.Join(to, path.Base(src.Name())), toWrite, st.Mode&0o777)
	}
	if err != nil {
		return err
	}
	return errors.Join(c.pour(src, dst, st), dst.Close())
}

// hostOpen opens a path of this machine without following a link.
//
// Security: where a program of a session may write, it may put a link at any time;
// what it led to would be copied in, or written to.
func hostOpen(name string, flags int) (*os.File, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	how := &unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(unix.AT_FDCWD, abs, how)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s leads through a symbolic link, and none is followed here; name what it leads to", shellWord(name))
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), abs), nil
}

// hostPlace is where on this machine something goes: a folder, and the name in it.
func hostPlace(to, base string) (dir *os.File, name string, err error) {
	dir, err = hostOpen(to, unix.O_PATH|unix.O_DIRECTORY)
	switch {
	case err == nil && nameIn(base):
		return dir, base, nil
	case err == nil:
		return nil, "", errors.Join(fmt.Errorf("name the file that %s is to be there", shellWord(base)), dir.Close())
	case !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR):
		return nil, "", err
	}
	if dir, err = hostOpen(filepath.Dir(filepath.Clean(to)), unix.O_PATH|unix.O_DIRECTORY); err != nil {
		return nil, "", err
	}
	return dir, filepath.Base(to), nil
}

// nameIn reports whether a name stands for something in a folder.
func nameIn(s string) bool {
	return s != "" && s != "." && s != ".." && s != "/" && !strings.Contains(s, "/")
}
