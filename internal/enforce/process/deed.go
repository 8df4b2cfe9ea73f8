//go:build linux

package process

import (
	"context"
	"path"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// A deed is a change that the launcher makes for the program.
type deed struct {
	w       *watcher
	n       seccomp.Notification
	dir     int // descriptor of the host's directory
	at      enforce.Touch
	beneath bool
	umask   uint32
}

func (d deed) path() string { return path.Join(d.at.Path, d.at.Create) }

func (d deed) mkdir(ctx context.Context) seccomp.Verdict {
	mode := uint32(d.n.Args[1])
	if d.n.Call == unix.SYS_MKDIRAT {
		mode = uint32(d.n.Args[2])
	}
	if err := unix.Mkdirat(d.dir, d.at.Create, mode&0o777&^d.umask); err != nil {
		return refusal(err)
	}
	if !d.show(ctx) {
		_ = unix.Unlinkat(d.dir, d.at.Create, unix.AT_REMOVEDIR) // what is in it by now stays
		return seccomp.Refuse(unix.EACCES)
	}
	return seccomp.Succeed()
}

// create makes a file. The program's own call opens it, but for one that wants to
// have made it: that is given the descriptor.
func (d deed) create(ctx context.Context) seccomp.Verdict {
	flags, mode := uint64(unix.O_CREAT|unix.O_WRONLY|unix.O_TRUNC), uint32(d.n.Args[1])
	switch d.n.Call {
	case seccomp.CallOpen:
		flags, mode = d.n.Args[1], uint32(d.n.Args[2])
	case unix.SYS_OPENAT:
		flags, mode = d.n.Args[2], uint32(d.n.Args[3])
	}
	fd, err := unix.Openat(d.dir, d.at.Create, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, mode&0o777&^d.umask)
	if err != nil {
		return refusal(err)
	}
	_ = unix.Close(fd) // nothing was written
	if !d.show(ctx) {
		_ = unix.Unlinkat(d.dir, d.at.Create, 0) // it is empty
		return seccomp.Refuse(unix.EACCES)
	}
	if flags&unix.O_EXCL == 0 {
		return seccomp.Go()
	}
	if fd, err = d.w.s.asking.attach.opened(d.path(), flags&^(unix.O_CREAT|unix.O_EXCL)); err != nil {
		return refusal(err)
	}
	defer unix.Close(fd)                                         //nolint:errcheck // the program has its own
	_ = d.w.listener.Give(d.n.ID, fd, flags&unix.O_CLOEXEC != 0) // it may be gone
	return seccomp.Later()
}

// closed reports whether something is mounted at p that is to stay, or beneath.
func (d deed) closed(p string) bool {
	on, ok := d.w.s.asking.attach.at(p)
	own := ok && on.Path == p && (on.Op != enforce.OpBind || on.Pin || on.Source != p)
	return own || d.w.s.asking.attach.transit(p)
}

func (d deed) remove(flags int) seccomp.Verdict {
	if d.closed(d.path()) {
		return seccomp.Refuse(unix.EBUSY)
	}
	if err := unix.Unlinkat(d.dir, d.at.Create, flags); err != nil {
		return refusal(err)
	}
	return d.gone(d.at.Create)
}

// rename gives a file another name in its directory. Of a directory it would move
// what is denied in it to where nothing denies it.
func (d deed) rename(ctx context.Context, from string) seccomp.Verdict {
	var st unix.Stat_t
	err := unix.Fstatat(d.dir, from, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err != nil:
		return refusal(err)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return seccomp.Refuse(unix.EXDEV)
	case d.closed(path.Join(d.at.Path, from)) || d.closed(d.path()):
		return seccomp.Refuse(unix.EBUSY)
	}
	var flags uint
	if d.n.Call == unix.SYS_RENAMEAT2 {
		flags = uint(d.n.Args[4])
	}
	if err := unix.Renameat2(d.dir, from, d.dir, d.at.Create, flags); err != nil {
		return refusal(err)
	}
	for _, name := range []string{from, d.at.Create} {
		if v := d.gone(name); v != seccomp.Succeed() {
			return v
		}
	}
	d.show(ctx) // else the next touch of it does
	return seccomp.Succeed()
}

// gone takes what had a name out of the view.
func (d deed) gone(name string) seccomp.Verdict {
	a, p := d.w.s.asking, path.Join(d.at.Path, name)
	if on, ok := a.attach.at(p); ok && on.Path == p {
		if err := a.attach.detach(p); err != nil {
			return refusal(err)
		}
	}
	if err := a.attach.dropBelow(d.at.Path, name); err != nil {
		return refusal(err)
	}
	return seccomp.Succeed()
}

// show has what was made in the view.
func (d deed) show(ctx context.Context) bool {
	a := d.w.s.asking
	var st unix.Stat_t
	if unix.Fstatat(d.dir, d.at.Create, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return false
	}
	t := d.at
	t.Path, t.Create, t.Alone, t.Dir, t.Dev, t.Ino = d.path(), "", false, st.Mode&unix.S_IFMT == unix.S_IFDIR, st.Dev, st.Ino
	if !a.attach.grants(t) && !a.put(ctx, t) {
		return false
	}
	return !d.beneath || a.attach.attachBelow(t.Path, spot{st: st}) == nil
}
