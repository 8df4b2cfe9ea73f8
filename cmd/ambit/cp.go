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
	"ambit.dev/ambit/internal/inside"
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
	c := &inside.Copier{}
	var err error
	if out {
		err = a.copyOut(ctx, c, fromID, fromPath, to)
	} else {
		err = a.copyIn(ctx, c, from, toID, toPath)
	}
	for _, l := range c.Left {
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
		}{c.Files, c.Bytes, append([]string{}, c.Left...)})
	}
	if len(c.Left) > 0 {
		err = errors.Join(err, fmt.Errorf("%d files are copied, and %d names left out", c.Files, len(c.Left)))
	}
	return err
}

// copyOut copies out of a session.
func (a *app) copyOut(ctx context.Context, c *inside.Copier, session, from, to string) error {
	in, err := a.looks(ctx, session)
	if err != nil {
		return err
	}
	spot := func() (*os.File, string, error) { return hostPlace(to, path.Base(path.Clean(from))) }
	if w, ok := in.(within); ok {
		return w.out(c, from, spot)
	}
	return c.Out(a.opened(ctx, session), from, spot)
}

// copyIn copies into a session.
func (a *app) copyIn(ctx context.Context, c *inside.Copier, from, session, to string) error {
	src, err := hostOpen(from, inside.ToRead)
	if err != nil {
		return err
	}
	defer src.Close()
	if strings.HasSuffix(to, "/") {
		to += path.Base(src.Name())
	}
	in, err := a.looks(ctx, session)
	if err != nil {
		return err
	}
	if w, ok := in.(within); ok {
		return w.in(c, src, from, to)
	}
	return c.In(a.opened(ctx, session), src, from, to)
}

// orderTo is what is wanted of a session, so that a path is opened there.
func orderTo(w inside.Wanted) order {
	o := order{Verb: verbOpen, Path: w.Path, Flags: w.Flags, Mode: w.Mode, Deed: w.Deed, About: []byte(w.About)}
	if !utf8.ValidString(w.Path) {
		o.Path, o.Bytes = "", []byte(w.Path)
	}
	return o
}

// opened are the files of a session, by what is opened there for us.
func (a *app) opened(ctx context.Context, session string) inside.Files {
	return inside.Files{Open: func(w inside.Wanted) (*os.File, int64, error) {
		if err := absoluteIn(w.Path); err != nil {
			return nil, 0, err
		}
		r, files, err := a.replied(ctx, session, orderTo(w))
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			return nil, 0, fmt.Errorf("open %s in the session: %w", shellWord(w.Path), errno)
		}
		if err != nil {
			return nil, 0, err
		}
		if len(files) != 1 {
			closeAll(files)
			return nil, 0, errors.New("the session handed nothing over")
		}
		return files[0], r.Most, nil
	}}
}

// absoluteIn refuses a path of a session that begins nowhere.
func absoluteIn(name string) error {
	if !path.IsAbs(name) {
		return fmt.Errorf("the path %s of the session is not absolute", shellWord(name))
	}
	return nil
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
	case err == nil && inside.NameIn(base):
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
