//go:build linux

package process

import (
	"context"
	"errors"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/seccomp"
	"ambit.dev/ambit/internal/enforce/view"
)

// A place is a path that a caller named.
type place struct {
	path string // absolute, in the view; links and ".." are in it
	from string // what it is relative to: a link of /proc/PID; "" where it is absolute
	dir  string // where that leads, in the view
	rel  string // the path as it was named
	last bool   // it is the last one of its call
}

// look answers a held call of a sandbox without a trap. What the view has, and
// what is nowhere, goes on at once; what is hidden is asked about.
//
// Security: the call runs anew and reads its paths itself; what it then reaches
// is what is mounted, whatever was looked at here.
func (w *watcher) look(n seccomp.Notification, call seccomp.Named) seccomp.Verdict {
	if w.s.asking.view.Load() < 0 {
		return seccomp.Go() // none of the program's code runs yet
	}
	var places []place
	needed := false
	for i, arg := range call.Paths {
		p, ok := w.place(n, arg)
		if !ok {
			continue
		}
		p.last = i == len(call.Paths)-1
		places = append(places, p)
		if !w.plain(n, call, p.path) || w.beneath(n, p) || call.Names && w.s.asking.attach.loose(path.Clean(p.path)) {
			needed = true
		} else {
			w.opens(n, call, p.path)
		}
	}
	if !needed && mayMode(n) == 0 {
		return seccomp.Go()
	}
	refusal := unix.EACCES
	if call.Look {
		refusal = unix.ENOENT
	}
	return w.settled(n, refusal, func(ctx context.Context) seccomp.Verdict {
		w.s.asking.attach.settle()
		var wishes []wish
		byName := false
		for _, p := range places {
			x, alone, errno := w.reach(ctx, n, call, p, refusal)
			if errno != 0 {
				return seccomp.Refuse(errno)
			}
			if x.touch.Create != "" {
				wishes = append(wishes, x)
			}
			byName = byName || alone
		}
		if len(wishes) > 0 && !plainNames(wishes, byName) {
			return w.perform(ctx, n, wishes)
		}
		return w.proceed(n)
	})
}

// opens tells an observer of a file that is opened for reading and that the view
// has.
func (w *watcher) opens(n seccomp.Notification, call seccomp.Named, p string) {
	a := w.s.asking
	o, ok := a.asker.(enforce.Observer)
	if !ok || !w.s.plan.Filter.WatchOpens || !heard(call, n) {
		return
	}
	if real, there, ok := a.glance(p, true); ok && there {
		o.Opened(enforce.Touch{Kind: enforce.TouchRead, Path: real, PID: n.PID, Call: seccomp.Name(n.Call)})
	}
}

// place reads a path of the caller. A path that cannot be read, or is empty, is
// the kernel's to judge.
func (w *watcher) place(n seccomp.Notification, arg [2]int) (place, bool) {
	name, err := seccomp.ReadPath(n.PID, n.Args[arg[1]])
	if err != nil || len(name) == 0 {
		return place{}, false
	}
	if name[0] == '/' {
		return place{path: string(name)}, true
	}
	p := place{from: "cwd", rel: string(name)}
	if arg[0] != seccomp.CWD && int32(n.Args[arg[0]]) != unix.AT_FDCWD {
		p.from = "fd/" + itoa(int(int32(n.Args[arg[0]])))
	}
	p.dir, err = os.Readlink("/proc/" + itoa(n.PID) + "/" + p.from)
	p.path = p.dir + "/" + string(name)
	return p, err == nil && path.IsAbs(p.dir)
}

// plain reports whether a call can be seen to need no question, without waiting
// for anything. Most are: they name what was granted.
func (w *watcher) plain(n seccomp.Notification, call seccomp.Named, p string) bool {
	if own(p) && !strings.Contains(p, "..") {
		return true
	}
	kind, follow := wants(call, n)
	if call.Names {
		p, _ = seccomp.Split(p)
		follow = true
	}
	a := w.s.asking
	real, there, ok := a.glance(p, follow)
	if !ok {
		return false
	}
	on, mounted := a.attach.at(real)
	switch {
	case !mounted && !there:
		return false
	case kind == enforce.TouchRead && !mounted:
		_, ok := a.attach.skeleton.own(real)
		return ok // else it is just being made, or only leads to a link
	case kind == enforce.TouchRead:
		return true
	}
	return mounted && (on.Op != enforce.OpBind || on.Source != on.Path || on.Write)
}

// reach brings into the view what a held call names, if it is hidden and the
// answer is yes. The call may go on if there is no errno. alone reports whether
// only the name was granted.
func (w *watcher) reach(ctx context.Context, n seccomp.Notification, call seccomp.Named, p place, refusal unix.Errno) (x wish, alone bool, errno unix.Errno) {
	a := w.s.asking
	if p.last && call.Anew(n) {
		switch s, err := a.walk(p.path, false); {
		case err == nil && s.hidden:
			return x, false, unix.EEXIST // as the kernel would say, could it see it
		case err == nil:
			return x, false, 0
		}
	}
	t, links, ask := w.wanted(n, call, p.path)
	x = w.wished(n, p, t, ask)
	if ask || len(links) > 0 {
		if !a.stands(n.PID, p) && !w.beneath(n, p) || !w.listener.Valid(n.ID) {
			return wish{}, false, 0
		}
		var ok bool
		if ok, alone = a.bring(ctx, x.touch, ask, links); !ok {
			return x, false, refusal
		}
	}
	if w.beneath(n, p) && a.below(p) != nil {
		return x, false, refusal
	}
	if call.Names && a.loosen(path.Clean(p.path)) != nil {
		return x, false, refusal
	}
	return x, alone, 0
}

// bring has what was touched, and the links that lead there, in the view, if the
// answer is yes. alone is that of asking.wish.
func (a *asking) bring(ctx context.Context, t enforce.Touch, ask bool, links []enforce.Link) (ok, alone bool) {
	if o, ok := a.asker.(enforce.Observer); ok {
		for _, k := range links {
			if k.Target != "" {
				o.Linked(k.Path)
			}
		}
	}
	if ask {
		if ok, alone = a.wish(ctx, t); !ok {
			return false, false
		}
	}
	return a.attach.link(links) == nil, alone
}

// stands reports whether what a path is relative to is where its name says. A
// directory that was taken out of the view, or covered in it, is told by a name
// that leads elsewhere.
func (a *asking) stands(pid int, p place) bool {
	if p.from == "" {
		return true
	}
	var there, named unix.Stat_t
	if unix.Stat("/proc/"+itoa(pid)+"/"+p.from, &there) != nil {
		return false
	}
	fd, err := openBeneath(int(a.view.Load()), p.dir, 0, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for an object
	return unix.Fstat(fd, &named) == nil && there.Dev == named.Dev && there.Ino == named.Ino
}

// beneath reports whether a relative path begins in a directory of the skeleton
// that a grant has covered since: the kernel walks on beneath the cover.
func (w *watcher) beneath(n seccomp.Notification, p place) bool {
	cover, ok := w.s.asking.attach.covering(p.dir)
	if p.from == "" || !ok {
		return false
	}
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, "/proc/"+itoa(n.PID)+"/"+p.from, unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &st)
	if errors.Is(err, unix.EACCES) && w.s.asking.trap != nil {
		return true // a trap of an ordinary user's tells nobody else but the sandbox
	}
	return err == nil && (st.Ino != cover.Ino || unix.Mkdev(st.Dev_major, st.Dev_minor) != cover.Dev)
}

// below shows beneath a cover what the cover has of the name that a path begins
// with.
func (a *asking) below(p place) error {
	for name := range strings.SplitSeq(p.rel, "/") {
		if name == "" || name == "." {
			continue
		}
		at := path.Join(p.dir, name)
		here, err := a.spot(at, 0)
		if name == ".." || err != nil {
			return nil //nolint:nilerr // the kernel says so
		}
		return a.attach.attachBelow(at, here)
	}
	return nil
}

// start answers a held execve: the kernel opens the program, and by itself the
// interpreter of a script and the loader, which no other call names.
func (w *watcher) start(n seccomp.Notification) seccomp.Verdict {
	arg := [2]int{cwd, 0}
	if n.Call == unix.SYS_EXECVEAT {
		arg = [2]int{0, 1}
	}
	p, ok := w.place(n, arg)
	if !ok || w.s.asking.view.Load() < 0 {
		return seccomp.Go()
	}
	return w.asked(n, unix.EACCES, func(ctx context.Context) bool {
		ok := w.startable(ctx, n, p)
		if ok && w.spawns.Load() {
			w.observe(n)
		}
		return ok
	})
}

// maxInterpreters is how many scripts the kernel starts by each other (fs/exec.c).
const maxInterpreters = 4

// startable asks about the hidden files that are needed to execute a program,
// and about those that the view has, but not to be executed.
func (w *watcher) startable(ctx context.Context, n seccomp.Notification, p place) bool {
	a := w.s.asking
	a.attach.settle()
	for range maxInterpreters + 1 {
		s, err := a.walk(p.path, true)
		if err != nil || s.st.Mode&unix.S_IFMT != unix.S_IFREG || s.st.Mode&0o111 == 0 {
			return true // the kernel says so
		}
		next := a.startedBy(s)
		t := enforce.Touch{Kind: enforce.TouchRun, Path: s.path, Dev: s.st.Dev, Ino: s.st.Ino, PID: n.PID, Call: seccomp.Name(n.Call)}
		ask := w.askable(t)
		if a.attach.stands(s.path) {
			real, st, err := a.resolved(s.path, true)
			if err != nil || real != s.path {
				return true
			}
			ask, t.Dev, t.Ino, next = true, st.Dev, st.Ino, ""
		}
		if (ask || len(s.links) > 0) && (!a.stands(n.PID, p) || !w.listener.Valid(n.ID)) {
			return true
		}
		if ok, _ := a.bring(ctx, t, ask, s.links); !ok || w.beneath(n, p) && a.below(p) != nil {
			return false
		}
		if !path.IsAbs(next) {
			return true
		}
		p = place{path: next}
	}
	return true
}

// startedBy is what the kernel opens to start a program, "" if nothing.
func (a *asking) startedBy(s sight) string {
	root := a.host
	if !s.hidden {
		root = int(a.view.Load())
	}
	fd, err := openBeneath(root, s.path, unix.O_NOFOLLOW, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return ""
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	words, loader, err := view.StartedBy("/proc/self/fd/" + itoa(fd))
	switch {
	case err != nil:
		return ""
	case len(words) > 0:
		return words[0]
	}
	return loader
}
