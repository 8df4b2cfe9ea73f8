//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
	"ambit.dev/ambit/internal/enforce/row"
)

// handed is a standard descriptor as it is handed over.
type handed struct {
	fd   int            // a copy
	null int            // not negative: it is /dev/null, and these are the flags to open the view's with
	file *enforce.Entry // not nil: it is a file that is only read, and this is how to show it
}

// handOver copies a standard descriptor for the program.
//
// Security: a directory is refused. Beneath it chmod, chown, utimes and setxattr
// would reach the host's tree, upward too, and Landlock does not look at them.
// So is an O_PATH descriptor, which may be one. The host's /dev/null is replaced
// by the view's: by the descriptor root could change the mode of the host's. A
// file that is only read is opened anew, see openAnew.
func handOver(f *os.File) (handed, error) {
	h := handed{fd: -1, null: -1}
	if f == nil {
		return h, errors.New("internal error: a standard descriptor is missing")
	}
	fd := int(f.Fd())
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return h, err
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return h, err
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFDIR || flags&unix.O_PATH != 0:
		return h, errors.New("it is a directory or a path, which would be a way to the host's files")
	case kind == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3):
		h.null = flags & (unix.O_ACCMODE | unix.O_APPEND)
	case kind == unix.S_IFREG && flags&unix.O_ACCMODE == unix.O_RDONLY && mayChange(fd, &st):
		if h.file, err = shownBy(fd, &st); err != nil {
			return h, err
		}
	}
	h.fd, err = row.High(fd)
	return h, err
}

// mayChange reports whether this user could change the mode, times or
// attributes of a file by a descriptor that only reads it, and whether anybody
// would meet the file again: one without a name (a here-document) is gone with
// its last descriptor.
func mayChange(fd int, st *unix.Stat_t) bool {
	if st.Nlink == 0 {
		return false
	}
	uid := os.Geteuid()
	return uid == 0 || st.Uid == uint32(uid) || unix.Faccessat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.W_OK, unix.AT_EACCESS) == nil
}

// shownBy is a file as an entry of a view, by the name that it was opened under.
func shownBy(fd int, st *unix.Stat_t) (*enforce.Entry, error) {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return nil, err
	}
	var now unix.Stat_t
	if err := unix.Lstat(path, &now); err != nil || now.Dev != st.Dev || now.Ino != st.Ino {
		return nil, fmt.Errorf("it is a file that is no longer at %q, so that it cannot be kept from being changed; hand it over through a pipe", path)
	}
	return &enforce.Entry{Op: enforce.OpBind, Path: path, Source: path, Dev: st.Dev, Ino: st.Ino}, nil
}

// openAnew puts in the place of each copy of a file that is only read another
// descriptor of the file, on a mount of its own that is read-only and noexec.
//
// Security: a descriptor keeps the mount that it was opened on, and on the
// host's the file's mode, times and attributes could be changed by it. The
// object is held to its identity, and the position goes along. It is the
// program's own from then on; the launcher takes it over at the end.
func (b *builder) openAnew() {
	l := b.list
	for i, e := range b.files {
		if e == nil {
			continue
		}
		what := fmt.Sprintf("hand over descriptor %d, the file %s", i, e.Path)
		fd, at, file := b.stdio[i], l.NewSlot(), l.NewSlot()
		l.Call(what, unix.SYS_LSEEK, num(fd), num(0), num(unix.SEEK_CUR)).Keep(at)
		tree := row.Bind(b.list, *e)
		l.Call(what, unix.SYS_DUP3, namespace.Result(tree), num(fd), num(unix.O_CLOEXEC))
		l.Call(what, unix.SYS_CLOSE, namespace.Result(tree))
		l.Call(what, unix.SYS_OPENAT, num(b.proc), l.Str(fmt.Sprintf("self/fd/%d", fd)), num(unix.O_RDONLY|unix.O_CLOEXEC)).Keep(file)
		l.Call(what, unix.SYS_LSEEK, namespace.Result(file), namespace.Result(at), num(unix.SEEK_SET))
		l.Call(what, unix.SYS_DUP3, namespace.Result(file), num(fd), num(unix.O_CLOEXEC))
		l.Call(what, unix.SYS_CLOSE, namespace.Result(file))
	}
}

// A position is one that the program moves and that its launcher's descriptor
// has to be at in the end, as if they were one: what comes after it on a command
// line goes on reading there.
type position struct {
	outside *os.File
	inside  int // a copy of the program's
	begin   int64
}

// positions takes copies of what openAnew opened. pid waits at the threshold. A
// host that does not allow it leaves the launcher's where they are.
func positions(pid int, io enforce.Stdio, files []*enforce.Entry) (all []position) {
	for i, f := range []*os.File{io.In, io.Out, io.Err} {
		if files[i] == nil {
			continue
		}
		if fd, err := descriptorOf(pid, i); err == nil {
			begin, _ := unix.Seek(fd, 0, unix.SEEK_CUR) // a regular file has one
			all = append(all, position{f, fd, begin})
		}
	}
	return all
}

// descriptorOf copies a descriptor of a process.
func descriptorOf(pid, fd int) (int, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(process) //nolint:errcheck // nothing was written
	return unix.PidfdGetfd(process, fd, 0)
}

// takeOver moves the launcher's descriptor, unless somebody else has moved it
// meanwhile, and lets go of the program's.
func (p position) takeOver() {
	fd := int(p.outside.Fd())
	end, err := unix.Seek(p.inside, 0, unix.SEEK_CUR)
	if now, e := unix.Seek(fd, 0, unix.SEEK_CUR); err == nil && e == nil && now == p.begin {
		_, _ = unix.Seek(fd, end, unix.SEEK_SET) // it is where a file's position can be
	}
	_ = unix.Close(p.inside) // it was only read
}
