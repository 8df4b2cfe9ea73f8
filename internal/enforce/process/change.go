//go:build linux

package process

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/seccomp"
)

// cwd is where a path begins for which a call has no argument.
const cwd = seccomp.CWD

// change looks at what a held call is about to change. What the view grants
// goes on at once; what it hides, or shows for reading only, is asked about.
func (w *watcher) change(n seccomp.Notification) seccomp.Verdict {
	call := seccomp.Changing[n.Call]
	var wishes []wish
	var loose []string
	needed := false
	for i, arg := range call.Paths {
		at, ok := w.place(n, arg)
		if !ok {
			continue // a null path can be right (utimensat); the kernel knows what is an error
		}
		p := at.path
		if call.Makes && i == len(call.Paths)-1 && w.there(p) {
			return seccomp.Go()
		}
		if call.Names && w.s.asking.attach.loose(path.Clean(p)) {
			loose = append(loose, path.Clean(p))
		}
		t, _, ok := w.wanted(n, call, p)
		x := w.wished(n, at, t, ok)
		switch o, observed := w.s.asking.asker.(enforce.Observer); {
		case ok && !heard(call, n), x.beneath, x.below != "":
			needed = true
		case !ok && observed && t.Kind == enforce.TouchRead && t.Path != "":
			o.Opened(t)
		}
		if t.Path != "" && !heard(call, n) {
			wishes = append(wishes, x)
		}
	}
	if !needed && len(loose) == 0 || !w.listener.Valid(n.ID) {
		return seccomp.Go()
	}
	return w.ask(n, wishes, loose)
}

// there reports whether something is at p already, be it a link. To make it anew
// fails whoever allows it: with what the kernel says, as it does for mkdir of a
// directory that is to be there.
//
// Security: a call that goes on because of it changes no more than the mounts
// let it, should the object be gone by then.
func (w *watcher) there(p string) bool {
	_, _, err := w.s.asking.resolved(p, false)
	return err == nil
}

// wanted says what a call that names p has to be asked about, if anything, and
// which links of the host the view needs for it.
func (w *watcher) wanted(n seccomp.Notification, call seccomp.Named, p string) (t enforce.Touch, links []enforce.Link, ask bool) {
	a := w.s.asking
	kind, follow := wants(call, n)
	t = enforce.Touch{Kind: kind, PID: n.PID, Call: seccomp.Name(n.Call)}
	if call.Names {
		return w.wantedIn(t, p)
	}
	s, err := a.find(p, follow)
	switch {
	case err == nil && call.Anew(n):
		return t, nil, false // it is there already
	case err == nil && s.st.Mode&unix.S_IFMT != unix.S_IFLNK:
		t.Path, t.Dir, t.Dev, t.Ino = s.path, s.st.Mode&unix.S_IFMT == unix.S_IFDIR, s.st.Dev, s.st.Ino
		return t, s.links, w.askable(t) && (a.trap != nil || s.hidden || kind != enforce.TouchRead)
	case err == nil && kind == enforce.TouchRead && a.trap == nil:
		return t, s.links, false // that it is there, and where it leads, is told without a question
	case err == nil:
		return w.wantedIn(t, p) // the link itself is an entry of its directory
	case !call.Creates(n) || errors.Is(err, errOwn):
		return t, nil, false // nothing is there, the kernel says so
	case s.name != "":
		p = path.Join(s.path, s.name) // links may have led there
	}
	t, links, ask = w.wantedIn(t, p)
	return t, append(s.links, links...), ask
}

// wantedIn is wanted for a name that is made, changed or removed in a directory.
func (w *watcher) wantedIn(t enforce.Touch, p string) (enforce.Touch, []enforce.Link, bool) {
	dir, name := seccomp.Split(p)
	s, err := w.s.asking.find(dir, true)
	if err != nil || name == "" || name == "." || name == ".." {
		return t, nil, false
	}
	t.Path, t.Dir, t.Create, t.Dev, t.Ino = s.path, true, name, s.st.Dev, s.st.Ino
	return t, s.links, w.askable(t)
}

// wants says for what a call wants its objects, and whether it follows a link.
func wants(call seccomp.Named, n seccomp.Notification) (kind enforce.TouchKind, follow bool) {
	write, follow := call.Wants(n)
	if write {
		return enforce.TouchWrite, follow
	}
	return enforce.TouchRead, follow
}

// heard reports whether a call is an open for reading: the trap hears of it, and
// knows what is the view's own or quiet. It is held only where opens are watched.
// A descriptor that stands for a path alone opens nothing that it would hear of.
func heard(call seccomp.Named, n seccomp.Notification) bool {
	kind, _ := wants(call, n)
	return call.Flags > 0 && kind == enforce.TouchRead && n.Args[call.Flags]&unix.O_PATH == 0
}

// askable reports whether a touch is of something that a grant would change.
func (w *watcher) askable(t enforce.Touch) bool { return w.s.asking.askable(t) }

func (a *asking) askable(t enforce.Touch) bool {
	if own(t.Path) || t.Ino == 0 { // 0: the skeleton has it, and the host not
		return false
	}
	on, ok := a.attach.at(t.Path)
	switch {
	case !ok: // a folder of the view's own can be entered, and lists what leads on
		return t.Kind != enforce.TouchRead || a.trap == nil || !a.attach.transit(t.Path)
	case on.Op != enforce.OpBind, on.Source != on.Path:
		return false // it is the sandbox's own, or shown elsewhere with a right of its own
	}
	return !a.attach.grants(t)
}

// run asks about the execution of a program that is in the view, but not to be
// executed. What is hidden is asked about when the trap is reached.
//
// Security: what may be executed is what is mounted so; this only asks.
func (w *watcher) run(n seccomp.Notification) seccomp.Verdict {
	name, err := seccomp.ReadPath(n.PID, pathArgument(n))
	if err != nil || len(name) == 0 {
		return seccomp.Go()
	}
	dir := cwd
	if n.Call == unix.SYS_EXECVEAT {
		dir = 0
	}
	p, ok := w.viewPath(n, dir, string(name))
	if !ok {
		return seccomp.Go()
	}
	a := w.s.asking
	if on, ok := a.attach.at(path.Clean(p)); ok && on.Exec && len(a.attach.stand) == 0 {
		return seccomp.Go()
	}
	real, st, err := a.resolved(p, true)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0 {
		return seccomp.Go()
	}
	t := enforce.Touch{Kind: enforce.TouchRun, Path: real, Dev: st.Dev, Ino: st.Ino, PID: n.PID, Call: "execve"}
	if a.attach.stands(real) {
		return w.ask(n, []wish{{touch: t, ask: true}}, nil)
	}
	if _, ok := a.attach.at(real); !ok || !w.askable(t) || !w.listener.Valid(n.ID) {
		return seccomp.Go()
	}
	return w.ask(n, []wish{{touch: t, ask: true}}, nil)
}

// stands reports whether only a file stands at p, for a program that can be asked
// about.
func (a *attacher) stands(p string) bool {
	on, _ := a.at(p)
	return slices.Contains(a.stand, p) && on.Path != p
}

// viewPath makes a path of the caller absolute, in the view.
func (w *watcher) viewPath(n seccomp.Notification, dirArg int, p string) (string, bool) {
	if strings.HasPrefix(p, "/") { //nolint:forbidigo // the root, not a directory's name
		return p, true
	}
	link := "cwd"
	if dirArg != cwd && int32(n.Args[dirArg]) != unix.AT_FDCWD {
		link = "fd/" + itoa(int(int32(n.Args[dirArg])))
	}
	return joined(n.PID, link, p)
}
