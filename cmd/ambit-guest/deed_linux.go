package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// proceed lets a call go on. One that walks beneath a cover finds there what the cover has;
// what it makes, removes or renames is done for it, in the cover.
func (h *holder) proceed(n seccomp.Notification, places []place) seccomp.Verdict {
	var beneath []place
	for _, p := range places {
		if _, covered := h.stands(p); covered { // maybe by what was answered just now
			beneath = append(beneath, p)
		}
	}
	if len(beneath) == 0 {
		return seccomp.Go()
	}
	if v, done := h.perform(n, places); done {
		return v
	}
	for _, p := range beneath {
		if s, err := h.find(p.path, true); err == nil {
			_ = h.asker.view.below(s.path) // the call fails, then
			s.close()
		}
	}
	return seccomp.Go()
}

// perform makes a change of names for a program. done is false for what changes objects,
// and for a file that is there.
//
// Security: the names were read once, and lead through the view from its root. It is done
// as the program would: with its owner and its umask, without any capability, by the
// view's mounts.
func (h *holder) perform(n seccomp.Notification, places []place) (v seccomp.Verdict, done bool) {
	call, d := seccomp.Changing[n.Call], deed{n: n, fd: -1}
	switch {
	case !call.Names && !call.Creates(n):
		return v, false
	case len(places) != len(call.Paths):
		return seccomp.Refuse(unix.EXDEV), true // one of the names is none of the view
	}
	for _, p := range places {
		d.paths = append(d.paths, p.path)
	}
	names := h.entries(d.paths)
	umask, err := umaskOf(n.PID)
	if err == nil && (n.Call == seccomp.CallSymlink || n.Call == unix.SYS_SYMLINKAT) {
		d.target, err = seccomp.ReadPath(n.PID, n.Args[0])
	}
	if err != nil || !h.listener.Valid(n.ID) {
		return seccomp.Refuse(unix.EACCES), true
	}
	err = h.asker.view.as(umask, d.do)
	switch {
	case errors.Is(err, unix.EEXIST) && !call.Names && !call.Anew(n):
		return v, false
	case err != nil:
		return refusal(err), true
	}
	h.asker.view.changed(names)
	if d.fd < 0 {
		return seccomp.Succeed(), true
	}
	defer unix.Close(d.fd)                                         //nolint:errcheck // the program has its own
	_ = h.listener.Give(n.ID, d.fd, d.flags()&unix.O_CLOEXEC != 0) // it may be gone
	return seccomp.Later(), true
}

// entries are paths without links on their way.
func (h *holder) entries(paths []string) (all []string) {
	for _, p := range paths {
		dir, name := seccomp.Split(p)
		if s, err := h.find(dir, true); err == nil {
			all = append(all, path.Join(s.path, name))
			s.close()
		}
	}
	return all
}

// refusal is what an error makes of a held call.
func refusal(err error) seccomp.Verdict {
	errno := unix.EACCES
	_ = errors.As(err, &errno)
	return seccomp.Refuse(errno)
}

// umaskOf is the umask of a process.
func umaskOf(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if text, ok := bytes.CutPrefix(line, []byte("Umask:")); ok {
			umask, err := strconv.ParseUint(string(bytes.TrimSpace(text)), 8, 9)
			return int(umask), err
		}
	}
	return 0, errors.New("a process without a umask")
}

// deed is a call that is made for a program.
type deed struct {
	n      seccomp.Notification
	paths  []string // absolute
	target []byte   // of a link that is made
	fd     int      // what was made and is open; -1: nothing
}

// arg is an argument of the call, whose number is one more where directories are said.
func (d *deed) arg(i int) uint64 {
	switch d.n.Call {
	case unix.SYS_OPENAT, unix.SYS_MKDIRAT, unix.SYS_MKNODAT:
		i++
	}
	return d.n.Args[i]
}

// flags are those of an open.
func (d *deed) flags() int {
	if d.n.Call == seccomp.CallCreat {
		return unix.O_CREAT | unix.O_WRONLY | unix.O_TRUNC
	}
	return int(d.arg(1))
}

// do makes the call. What is to be made is not there, so that nothing waits for a pipe.
func (d *deed) do() (err error) {
	const cwd = unix.AT_FDCWD
	first, last := d.paths[0], d.paths[len(d.paths)-1]
	switch d.n.Call {
	case seccomp.CallMkdir, unix.SYS_MKDIRAT:
		return unix.Mkdirat(cwd, last, uint32(d.arg(1)))
	case seccomp.CallMknod, unix.SYS_MKNODAT:
		return unix.Mknodat(cwd, last, uint32(d.arg(1)), int(d.arg(2)))
	case seccomp.CallSymlink, unix.SYS_SYMLINKAT:
		return unix.Symlinkat(string(d.target), cwd, last)
	case seccomp.CallLink:
		return unix.Linkat(cwd, first, cwd, last, 0)
	case unix.SYS_LINKAT:
		return unix.Linkat(cwd, first, cwd, last, int(d.n.Args[4]))
	case seccomp.CallUnlink:
		return unix.Unlinkat(cwd, last, 0)
	case unix.SYS_UNLINKAT:
		return unix.Unlinkat(cwd, last, int(d.n.Args[2]))
	case seccomp.CallRmdir:
		return unix.Unlinkat(cwd, last, unix.AT_REMOVEDIR)
	case seccomp.CallRename, unix.SYS_RENAMEAT:
		return unix.Renameat2(cwd, first, cwd, last, 0)
	case unix.SYS_RENAMEAT2:
		return unix.Renameat2(cwd, first, cwd, last, uint(d.n.Args[4]))
	}
	mode := d.arg(2)
	if d.n.Call == seccomp.CallCreat {
		mode = d.n.Args[1]
	}
	d.fd, err = unix.Openat(cwd, last, d.flags()|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode))
	return err
}
