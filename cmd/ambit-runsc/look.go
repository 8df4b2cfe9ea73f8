//go:build linux

package main

import (
	"io"
	"maps"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/fspath"
	"gvisor.dev/gvisor/pkg/sentry/arch"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/usermem"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
	"ambit.dev/ambit/internal/enforce/seccomp"
	"ambit.dev/ambit/internal/enforce/view"
)

// looking are the calls that only look, all that reach what they name by this kernel's walk.
func looking() map[int]seccomp.Named {
	all := maps.Clone(seccomp.Looking)
	maps.Copy(all, map[int]seccomp.Named{
		unix.SYS_CHROOT:     {Look: true, Paths: seccomp.Path0},
		unix.SYS_GETXATTR:   {Look: true, Paths: seccomp.Path0},
		unix.SYS_LGETXATTR:  {Look: true, Paths: seccomp.Path0, Link: true},
		unix.SYS_LISTXATTR:  {Look: true, Paths: seccomp.Path0},
		unix.SYS_LLISTXATTR: {Look: true, Paths: seccomp.Path0, Link: true},
	})
	return all
}

// look asks about what a call was refused that looks or opens to read. A directory is only
// asked about where it is opened: a look at one says nothing of what is in it.
func (c *held) look(n int, call seccomp.Named, args arch.SyscallArguments) error {
	note := notification(n, args)
	write, follow := call.Wants(note)
	if write {
		return nil // it was asked about before
	}
	var flags uint32
	if call.Flags > 0 {
		flags = uint32(note.Args[call.Flags])
	}
	list := call.Flags > 0 && flags&unix.O_PATH == 0
	for _, arg := range call.Paths {
		if err := c.about(arg[0], arg[1], wire.Question{Want: wire.WantRead, Link: !follow, List: list}); err != nil {
			return err
		}
	}
	if c.covered.Ok() {
		return c.openCovered(flags)
	}
	return nil
}

// openCovered opens a directory beneath what was shown on it. The trap tells the names in
// it, and the way on from there begins at names that are asked about: a descriptor of what
// was shown would keep what lies in it with the rights that it has now.
func (c *held) openCovered(flags uint32) error {
	here := &vfs.PathOperation{Root: c.covered, Start: c.covered, Path: fspath.Parse(".")}
	file, err := c.t.Kernel().VFS().OpenAt(c.t, c.t.Credentials(), here, &vfs.OpenOptions{Flags: flags | linux.O_LARGEFILE})
	if err != nil {
		return err
	}
	defer file.DecRef(c.t) // the table has one
	c.opened, err = c.t.NewFDFrom(0, file, kernel.FDFlags{CloseOnExec: flags&linux.O_CLOEXEC != 0})
	if err != nil {
		c.opened = -1
	}
	return err
}

func (c *held) openat2Refused() error { return c.asOpenat(c.look) }

// mostInterpreters is how many programs are started by each other for one.
const mostInterpreters = 6

// interpreters asks about what this kernel opens by itself to start a program, where it is
// refused that: the interpreter of a script, and the loader. It is asked before, as the
// call's end is too late.
func (c *held) interpreters(dir int, at string) error {
	next, _ := c.startedBy(dir, at)
	for range mostInterpreters {
		if next == "" {
			return nil
		}
		at = next
		var err error
		if next, err = c.startedBy(seccomp.CWD, at); !linuxerr.Equals(linuxerr.EACCES, err) {
			continue
		}
		if err := c.aboutPath(seccomp.CWD, at, wire.Question{Want: wire.WantRun}); err != nil {
			return err
		}
		next, _ = c.startedBy(seccomp.CWD, at)
	}
	return nil
}

// startedBy is what this kernel opens to start the program at a path, "" if nothing.
func (c *held) startedBy(dir int, at string) (string, error) {
	w, ok := c.walk(dir, at)
	if !ok {
		return "", nil
	}
	defer w.end()
	way := &vfs.PathOperation{Root: w.root, Start: w.start, Path: fspath.Parse(at), FollowFinalSymlink: true}
	file, err := c.t.Kernel().VFS().OpenAt(c.t, c.t.Credentials(), way, &vfs.OpenOptions{Flags: linux.O_RDONLY | linux.O_NONBLOCK})
	if err != nil {
		return "", err
	}
	defer file.DecRef(c.t)
	words, loader, err := view.StartedByFile(contents{c.t, file})
	if err == nil && len(words) > 0 {
		return words[0], nil
	}
	return loader, nil
}

// contents is a file of the sandbox, to be read.
type contents struct {
	t    *kernel.Task
	file *vfs.FileDescription
}

func (c contents) ReadAt(b []byte, offset int64) (int, error) {
	n, err := c.file.PRead(c.t, usermem.BytesIOSequence(b), offset, vfs.ReadOptions{})
	if err == nil && n < int64(len(b)) {
		err = io.EOF
	}
	return int(n), err
}
