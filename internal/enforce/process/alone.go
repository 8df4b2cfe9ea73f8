//go:build linux

package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// Two kinds of change cannot be made by the kernel where the program makes them. A
// name can be granted alone, in a directory that is not (a home): nothing can be
// mounted on it before it is there. And who works in a directory of the view's
// own that was covered since walks on beneath the cover, where nothing can be
// made. So the launcher makes such a change for the program, by the very name
// that was decided about, and what it made is shown.

// A wish is a change of one name, or of one object.
type wish struct {
	touch   enforce.Touch
	ask     bool   // somebody has to be asked; else the view has the right
	beneath bool   // the name is looked for beneath a cover
	below   string // so is the path, which begins with this name of the cover; "" if not
}

// single reports whether a call can be done for a name alone: it makes, removes
// or renames it, and the name is no link.
func single(n seccomp.Notification) bool {
	switch n.Call {
	case seccomp.CallMkdir, unix.SYS_MKDIRAT, seccomp.CallRmdir, seccomp.CallUnlink, unix.SYS_UNLINKAT, seccomp.CallCreat:
		return true
	case seccomp.CallRename, unix.SYS_RENAMEAT:
		return true
	case unix.SYS_RENAMEAT2:
		return n.Args[4]&^unix.RENAME_NOREPLACE == 0
	case seccomp.CallOpen:
		return n.Args[1]&unix.O_CREAT != 0 && n.Args[1]&(unix.O_PATH|unix.O_DIRECTORY) == 0
	case unix.SYS_OPENAT:
		return n.Args[2]&unix.O_CREAT != 0 && n.Args[2]&(unix.O_PATH|unix.O_DIRECTORY) == 0
	}
	return false
}

// wished adds to a wish what the call and the place say of it.
func (w *watcher) wished(n seccomp.Notification, p place, t enforce.Touch, ask bool) wish {
	t.Alone = t.Create != "" && single(n)
	x := wish{touch: t, ask: ask}
	switch {
	case t.Path == "" || !w.beneath(n, p):
	case t.Alone && t.Path == p.dir:
		x.beneath = true
	default:
		x.below = path.Join(p.dir, first(p.rel))
	}
	return x
}

// first is the first name of a relative path.
func first(rel string) string {
	for name := range strings.SplitSeq(rel, "/") {
		if name != "" && name != "." {
			return name
		}
	}
	return "."
}

// grant has every wish decided. alone reports whether a name was granted and its
// directory was not.
func (a *asking) grant(ctx context.Context, wishes []wish) (alone, ok bool) {
	for _, x := range wishes {
		if !x.ask {
			continue
		}
		granted, name := a.wish(ctx, x.touch)
		if !granted {
			return false, false
		}
		alone = alone || name
	}
	return alone, true
}

// perform makes a change for the program.
//
// Security: the names are those that were decided about, read once; the arguments
// are registers. The directory is opened anew, without links, and has to be the
// one that was decided about. What is mounted at a name or beneath is never moved
// or removed: it may be what keeps a denied path closed.
func (w *watcher) perform(ctx context.Context, n seccomp.Notification, wishes []wish) seccomp.Verdict {
	at := wishes[len(wishes)-1].touch
	if len(wishes) != len(seccomp.Changing[n.Call].Paths) {
		return seccomp.Refuse(unix.EXDEV) // one of the names lies where only the sandbox can tell
	}
	for _, x := range wishes {
		switch {
		case !x.touch.Alone || x.touch.Path != at.Path || x.touch.Dev != at.Dev || x.touch.Ino != at.Ino:
			return seccomp.Refuse(unix.EXDEV) // one of the names lies elsewhere
		case !x.ask && !w.s.asking.attach.grants(x.touch):
			return seccomp.Refuse(unix.EACCES)
		}
	}
	dir, err := w.s.asking.directory(at)
	if err != nil {
		return refusal(err)
	}
	defer unix.Close(dir) //nolint:errcheck // it only stands for a directory
	umask, ok := umaskOf(n.PID)
	if !ok || !w.listener.Valid(n.ID) {
		return seccomp.Refuse(unix.EACCES)
	}
	d := deed{w: w, n: n, dir: dir, at: at, beneath: wishes[0].beneath, umask: umask}
	switch n.Call {
	case seccomp.CallMkdir, unix.SYS_MKDIRAT:
		return d.mkdir(ctx)
	case seccomp.CallRmdir:
		return d.remove(unix.AT_REMOVEDIR)
	case seccomp.CallUnlink:
		return d.remove(0)
	case unix.SYS_UNLINKAT:
		return d.remove(int(n.Args[2] & unix.AT_REMOVEDIR))
	case seccomp.CallRename, unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		return d.rename(ctx, wishes[0].touch.Create)
	}
	return d.create(ctx)
}

// directory opens the directory of a name that is changed.
func (a *asking) directory(t enforce.Touch) (int, error) {
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_BENEATH}
	fd, err := unix.Openat2(a.host, "."+t.Path, how)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	// As root the launcher may do in somebody else's directory what the program,
	// without capabilities, may not.
	its := a.attach.plan.UID != 0
	if unix.Fstat(fd, &st) == nil && st.Dev == t.Dev && st.Ino == t.Ino && (its || st.Uid == 0) {
		return fd, nil
	}
	return -1, errors.Join(unix.EACCES, unix.Close(fd))
}

// refusal is what an error makes of a held call.
func refusal(err error) seccomp.Verdict {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		errno = unix.EACCES
	}
	return seccomp.Refuse(errno)
}

// umaskOf is the umask of a process.
func umaskOf(pid int) (umask uint32, ok bool) {
	status, err := os.ReadFile("/proc/" + itoa(pid) + "/status")
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(status) {
		if text, found := bytes.CutPrefix(line, []byte("Umask:")); found {
			value, err := strconv.ParseUint(strings.TrimSpace(string(text)), 8, 32)
			return uint32(value), err == nil
		}
	}
	return 0, false
}

// plainNames reports whether wishes are for names that the kernel finds, and
// whose directories were granted: then it makes the change itself.
func plainNames(wishes []wish, alone bool) bool {
	return !alone && !slices.ContainsFunc(wishes, func(x wish) bool { return x.beneath })
}
