package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// place is a path that a call names.
type place struct {
	path string // in the view; links and ".." are in it
	from string // the link to the directory that it begins at; "": that is the root
	dir  string // path of that
}

// named is the path that a caller names. A path from a directory that is in the view no
// more names nothing of it.
func (h *holder) named(n seccomp.Notification, arg [2]int) (p place, ok bool) {
	name, err := seccomp.ReadPath(n.PID, n.Args[arg[1]])
	if err != nil || len(name) == 0 {
		return p, false
	}
	if name[0] == '/' {
		return place{path: string(name)}, true
	}
	p.from = begins(n, arg)
	if p.dir, err = os.Readlink(p.from); err != nil || p.dir[0] != '/' {
		return p, false
	}
	p.path = p.dir + "/" + string(name)
	there, _ := h.stands(p)
	return p, there
}

// stands reports whether a path begins in the directory that the view has there; beneath,
// whether in one of the trap that was covered since: the kernel walks on beneath the cover,
// where nothing can be made.
func (h *holder) stands(p place) (there, beneath bool) {
	if p.from == "" {
		return true, false
	}
	fd, err := unix.Open(p.from, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, false
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for an object
	s, err := h.find(p.dir, true)
	if err != nil {
		return false, false
	}
	defer s.close()
	is, its, root := statxOf(fd), statxOf(s.fd), statxOf(h.asker.view.root)
	same := is.Ino == its.Ino && is.Dev_major == its.Dev_major && is.Dev_minor == its.Dev_minor
	trap := is.Mnt_id == root.Mnt_id
	return same || trap, trap && !s.hidden
}

// begins is the link to the directory from which a call walks.
func begins(n seccomp.Notification, arg [2]int) string {
	if arg[0] == seccomp.CWD || int32(n.Args[arg[0]]) == unix.AT_FDCWD {
		return fmt.Sprintf("/proc/%d/cwd", n.PID)
	}
	return fmt.Sprintf("/proc/%d/fd/%d", n.PID, int32(n.Args[arg[0]]))
}

// statxOf tells a descriptor's object and its mount, touching neither.
func statxOf(fd int) (st unix.Statx_t) {
	_ = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_INO|unix.STATX_MNT_ID, &st) // nothing is no mount's
	return st
}
