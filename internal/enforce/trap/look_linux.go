package trap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// resolveCached is RESOLVE_CACHED (linux/openat2.h, since Linux 5.12): what is
// not in memory answers EAGAIN.
const resolveCached = 0x20

// look opens the object at a path of the host, for its identity alone.
//
// Security: one call walks the whole path from the host's root and follows no
// link, so what it returns is what has that name now. A walk in steps, from
// descriptors that were kept, could end in a folder that was moved meanwhile,
// and be told under a name that it no longer has.
func look(host int, path string, resolve uint64) (fd int, err error) {
	relative := path[1:]
	if relative == "" {
		relative = "."
	}
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | resolve,
	}
	for {
		if fd, err = unix.Openat2(host, relative, &how); !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// Open opens the object at a path of the host, for its identity alone: host is its
// root, and no link is followed.
func Open(host int, path string) (fd int, errno unix.Errno) {
	fd, err := look(host, path, 0)
	if err != nil {
		return -1, absence(err)
	}
	return fd, 0
}

// See says what has a path of the host whose root host is, and where a link leads. It
// may wait for the host's file systems.
//
// Security: of the mode it tells the type alone, and no other one than a trap tells:
// sockets, pipes and devices are files.
func See(host int, path string) (mode uint32, target string, errno unix.Errno) {
	f, errno := formOn(host, path, 0)
	if errno == 0 && f == link {
		target, errno = targetOn(host, path)
	}
	return f.mode() & modeType, target, errno
}

// formAt says what a name of the host is. cached limits the look to what the
// kernel has in memory: EAGAIN says that it would have to wait for a disk, a
// network, or another machine.
func (t *Trap) formAt(ctx context.Context, path string, cached bool) (form, unix.Errno) {
	switch {
	case t.config.Look != nil && cached:
		return unknown, unix.EAGAIN
	case t.config.Look != nil:
		mode, _, errno := t.config.Look(ctx, path)
		return formOf(mode), errno
	case cached:
		return formOn(t.config.Host, path, resolveCached)
	}
	return formOn(t.config.Host, path, 0)
}

func formOn(host int, path string, resolve uint64) (form, unix.Errno) {
	fd, err := look(host, path, resolve)
	if err != nil {
		return unknown, absence(err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var st unix.Statx_t
	// The type never changes, so no file system needs to be asked for it.
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st); err != nil {
		return unknown, absence(err)
	}
	return formOf(uint32(st.Mode)), 0
}

// absence is the errno of a name that cannot be looked at. A link or a file on
// the way, where the kernel knows a directory, says that the name is gone.
func absence(err error) unix.Errno {
	var e unix.Errno
	switch errors.As(err, &e); e {
	case unix.EACCES, unix.ENAMETOOLONG, unix.EAGAIN, unix.ENOMEM, unix.EMFILE, unix.ENFILE:
		return e
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EXDEV, unix.ESTALE:
		return unix.ENOENT
	default:
		return unix.EIO
	}
}

// target is where a link of the host leads.
func (t *Trap) target(ctx context.Context, path string) (string, unix.Errno) {
	if t.config.Look == nil {
		return targetOn(t.config.Host, path)
	}
	_, target, errno := t.config.Look(ctx, path)
	if errno == 0 && target == "" {
		errno = unix.ENOENT // it is none any more
	}
	return target, errno
}

func targetOn(host int, path string) (string, unix.Errno) {
	fd, err := look(host, path, 0)
	if err != nil {
		return "", absence(err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", b)
	if err != nil {
		return "", absence(err)
	}
	return string(b[:n]), 0
}

// proc reads a small file of a process, as the host has it. The path begins at
// the host's root like every other: the server's own /proc may be the view's
// some day, and looking there would wait for the server.
func (t *Trap) proc(pid int, name string) ([]byte, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(t.config.Host, fmt.Sprintf("proc/%d/%s", pid, name), &how)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	b := make([]byte, 4096)
	n, err := unix.Read(fd, b)
	return b[:max(n, 0)], err
}

// field returns the value of a line of /proc/PID/status.
func field(status []byte, name string) string {
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte(name+":")); ok {
			return string(bytes.TrimSpace(value))
		}
	}
	return ""
}

// process returns the process of a thread, or the thread where that cannot be read.
func (t *Trap) process(thread int) int {
	if t.config.Process != nil {
		if pid := t.config.Process(thread); pid > 0 {
			return pid
		}
	}
	status, err := t.proc(thread, "status")
	if err != nil {
		return thread
	}
	if pid, err := strconv.Atoi(field(status, "Tgid")); err == nil {
		return pid
	}
	return thread
}

// coreSignals end a process with a core dump, unless it handles them (signal(7)).
const coreSignals = 1<<(unix.SIGQUIT-1) | 1<<(unix.SIGILL-1) | 1<<(unix.SIGTRAP-1) | 1<<(unix.SIGABRT-1) | 1<<(unix.SIGBUS-1) |
	1<<(unix.SIGFPE-1) | 1<<(unix.SIGSEGV-1) | 1<<(unix.SIGXCPU-1) | 1<<(unix.SIGXFSZ-1) | 1<<(unix.SIGSYS-1)

// dying reports whether a waiting thread is about to end. The kernel marks that
// with a pending SIGKILL whatever the signal was, apart from those with a core
// dump.
func (t *Trap) dying(thread int) bool {
	status, err := t.proc(thread, "status")
	if err != nil {
		return true // gone, or not to be seen: better one interrupted call than one that cannot be ended
	}
	set := func(name string) uint64 {
		bits, err := strconv.ParseUint(field(status, name), 16, 64)
		if err != nil {
			return 0
		}
		return bits
	}
	pending := set("SigPnd") | set("ShdPnd")
	handled := set("SigBlk") | set("SigIgn") | set("SigCgt")
	return pending&(1<<(unix.SIGKILL-1)) != 0 || pending&coreSignals&^handled != 0
}

// call returns the number of the system call that a waiting thread is in, or -1
// where that cannot be read (ptrace's rules hold). A thread cannot change it
// meanwhile.
func (t *Trap) call(thread int) int {
	for range 10 {
		text, err := t.proc(thread, "syscall")
		if err != nil {
			return -1
		}
		number, _, _ := bytes.Cut(bytes.TrimSpace(text), []byte(" "))
		if string(number) == "running" { // it has not gone to sleep yet
			time.Sleep(100 * time.Microsecond)
			continue
		}
		if n, err := strconv.Atoi(string(number)); err == nil {
			return n
		}
		return -1
	}
	return -1
}
