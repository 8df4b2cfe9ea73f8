package main

import (
	"errors"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// quick reports whether it is seen at once that nobody has to be asked about a call: what
// it names lies in memory of the machine that may be written, or may be executed where it
// lies. It waits for nobody: what the kernel does not know by heart is for answer to find
// out. Most calls that are held are such ones, and a second thread costs them more than all
// that is looked at here.
//
// Security: it lets go what answer would let go, and no more; what that says of calls that
// go on holds.
func (h *holder) quick(n seccomp.Notification) bool {
	switch n.Call {
	case unix.SYS_EXECVE, unix.SYS_EXECVEAT:
		return h.look(n, programPath(n), runs)
	}
	call := seccomp.Changing[n.Call]
	if write, _ := call.Wants(n); !write {
		return true // a path only: whoever uses it is held then
	}
	for _, arg := range call.Paths {
		if !h.look(n, arg, func(f from) bool {
			if call.Names {
				return f.changesIn(false)
			}
			return f.changes(call.Flags > 0)
		}) {
			return false
		}
	}
	return len(call.Paths) > 0
}

// from is a path, and the directory that it begins at.
type from struct {
	dir     int
	p       string
	resolve uint64 // with which it is walked
}

// look has a path of a call looked at.
func (h *holder) look(n seccomp.Notification, arg [2]int, at func(from) bool) bool {
	name, err := seccomp.ReadPath(n.PID, n.Args[arg[1]])
	if err != nil || len(name) == 0 {
		return false
	}
	if name[0] == '/' {
		return at(from{h.asker.view.root, string(name), unix.RESOLVE_IN_ROOT})
	}
	dir, err := unix.Open(begins(n, arg), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dir) //nolint:errcheck // it only stands for an object
	return at(from{dir, string(name), unix.RESOLVE_BENEATH})
}

const resolveCached = 0x20 // RESOLVE_CACHED (linux/openat2.h)

// known has the kernel find a path by what it has in memory.
func (f from) known(p string, flags uint64) (int, error) {
	return unix.Openat2(f.dir, p, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: f.resolve | unix.RESOLVE_NO_MAGICLINKS | resolveCached})
}

// runs reports whether what is at a path may be executed there, as far as it was shown.
func runs(f from) bool {
	fd, err := f.known(f.p, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for an object
	var fs unix.Statfs_t
	return unix.Fstatfs(fd, &fs) == nil && fs.Type != unix.FUSE_SUPER_MAGIC && fs.Flags&unix.ST_NOEXEC == 0
}

// changes reports whether what is at a path, or may be made there, may be changed: it lies
// in memory of the machine, or an open of it changes nothing.
func (f from) changes(open bool) bool {
	fd, err := f.known(f.p, unix.O_NOFOLLOW)
	if err != nil {
		return f.changesIn(true)
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for an object
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &fs) != nil || fs.Type == unix.FUSE_SUPER_MAGIC || unix.Fstat(fd, &st) != nil {
		return false
	}
	return special(st.Mode) && open || ours(&fs) && st.Mode&unix.S_IFMT != unix.S_IFLNK
}

// changesIn reports whether a name may be made, changed or removed in its directory; with
// absent, whether nothing has it yet too.
func (f from) changesIn(absent bool) bool {
	in, name := seccomp.Split(f.p)
	if name == "" || name == "." || name == ".." {
		return false
	}
	if in == "" {
		in = "."
	}
	dir, err := f.known(in, unix.O_DIRECTORY)
	if err != nil {
		return false
	}
	defer unix.Close(dir) //nolint:errcheck // it only stands for an object
	var fs unix.Statfs_t
	if unix.Fstatfs(dir, &fs) != nil || !ours(&fs) {
		return false
	}
	if !absent {
		return true
	}
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd) // it only stands for an object
	}
	return errors.Is(err, unix.ENOENT)
}

// ours reports whether a file system is memory of the machine that may be written.
func ours(fs *unix.Statfs_t) bool {
	return fs.Type == unix.TMPFS_MAGIC && fs.Flags&unix.ST_RDONLY == 0
}

// special reports whether an object is none that a read-only mount keeps from being opened
// to be written.
func special(mode uint32) bool {
	switch mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO, unix.S_IFSOCK:
		return true
	}
	return false
}
