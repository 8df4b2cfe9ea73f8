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

// A named call says by which arguments a held call names files, and whether it
// changes the objects, the names in the directories above them, or nothing.
type named struct {
	names bool
	makes bool     // the last path is made: where something is already, the call fails whoever allows it
	look  bool     // it changes nothing
	link  bool     // the last component is not followed if it is a link
	paths [][2]int // numbers of the arguments: directory descriptor (cwd where there is none), path
	flags int      // the argument with open's flags, or 0
	at    int      // the argument with AT_SYMLINK_NOFOLLOW, or 0
}

const cwd = -1

var (
	path0   = [][2]int{{cwd, 0}}
	path1   = [][2]int{{cwd, 1}}
	at01    = [][2]int{{0, 1}}
	at12    = [][2]int{{1, 2}}
	both01  = [][2]int{{cwd, 0}, {cwd, 1}}
	both013 = [][2]int{{0, 1}, {2, 3}}
)

var changing = map[int]named{
	callOpen:        {paths: path0, flags: 1},
	unix.SYS_OPENAT: {paths: at01, flags: 2},
	callCreat:       {paths: path0},

	callMkdir:          {names: true, makes: true, paths: path0},
	unix.SYS_MKDIRAT:   {names: true, makes: true, paths: at01},
	callMknod:          {names: true, makes: true, paths: path0},
	unix.SYS_MKNODAT:   {names: true, makes: true, paths: at01},
	callSymlink:        {names: true, makes: true, paths: path1},
	unix.SYS_SYMLINKAT: {names: true, makes: true, paths: at12},
	callLink:           {names: true, makes: true, paths: both01},
	unix.SYS_LINKAT:    {names: true, makes: true, paths: both013},
	callUnlink:         {names: true, paths: path0},
	unix.SYS_UNLINKAT:  {names: true, paths: at01},
	callRmdir:          {names: true, paths: path0},
	callRename:         {names: true, paths: both01},
	unix.SYS_RENAMEAT:  {names: true, paths: both013},
	unix.SYS_RENAMEAT2: {names: true, paths: both013},

	unix.SYS_TRUNCATE:      {paths: path0},
	callChmod:              {paths: path0},
	unix.SYS_FCHMODAT:      {paths: at01},
	unix.SYS_FCHMODAT2:     {paths: at01, at: 3},
	callChown:              {paths: path0},
	callLchown:             {paths: path0, link: true},
	unix.SYS_FCHOWNAT:      {paths: at01, at: 4},
	callUtime:              {paths: path0},
	callUtimes:             {paths: path0},
	callFutimesat:          {paths: at01},
	unix.SYS_UTIMENSAT:     {paths: at01, at: 3},
	unix.SYS_SETXATTR:      {paths: path0},
	unix.SYS_LSETXATTR:     {paths: path0, link: true},
	unix.SYS_SETXATTRAT:    {paths: at01, at: 2},
	unix.SYS_REMOVEXATTR:   {paths: path0},
	unix.SYS_LREMOVEXATTR:  {paths: path0, link: true},
	unix.SYS_REMOVEXATTRAT: {paths: at01, at: 2},
	unix.SYS_FILE_SETATTR:  {paths: at01, at: 4},
}

// change looks at what a held call is about to change. What the view grants
// goes on at once; what it hides, or shows for reading only, is asked about.
func (w *watcher) change(n seccomp.Notification) seccomp.Verdict {
	call := changing[n.Call]
	var wishes []wish
	var loose []string
	needed := false
	for i, arg := range call.paths {
		at, ok := w.place(n, arg)
		if !ok {
			continue // a null path can be right (utimensat); the kernel knows what is an error
		}
		p := at.path
		if call.makes && i == len(call.paths)-1 && w.there(p) {
			return seccomp.Go()
		}
		if call.names && w.s.asking.attach.loose(path.Clean(p)) {
			loose = append(loose, path.Clean(p))
		}
		t, _, ok := w.wanted(n, call, p)
		x := w.wished(n, at, t, ok)
		switch o, observed := w.s.asking.asker.(enforce.Observer); {
		case ok && !call.heard(n), x.beneath, x.below != "":
			needed = true
		case !ok && observed && t.Kind == enforce.TouchRead && t.Path != "":
			o.Opened(t)
		}
		if t.Path != "" && !call.heard(n) {
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
func (w *watcher) wanted(n seccomp.Notification, call named, p string) (t enforce.Touch, links []enforce.Link, ask bool) {
	a := w.s.asking
	kind, follow := call.wants(n)
	t = enforce.Touch{Kind: kind, PID: n.PID, Call: seccomp.Name(n.Call)}
	if call.names {
		return w.wantedIn(t, p)
	}
	s, err := a.find(p, follow)
	switch {
	case err == nil && call.anew(n):
		return t, nil, false // it is there already
	case err == nil && s.st.Mode&unix.S_IFMT != unix.S_IFLNK:
		t.Path, t.Dir, t.Dev, t.Ino = s.path, s.st.Mode&unix.S_IFMT == unix.S_IFDIR, s.st.Dev, s.st.Ino
		return t, s.links, w.askable(t) && (a.trap != nil || s.hidden || kind != enforce.TouchRead)
	case err == nil && kind == enforce.TouchRead && a.trap == nil:
		return t, s.links, false // that it is there, and where it leads, is told without a question
	case err == nil:
		return w.wantedIn(t, p) // the link itself is an entry of its directory
	case !call.creates(n) || errors.Is(err, errOwn):
		return t, nil, false // nothing is there, the kernel says so
	case s.name != "":
		p = path.Join(s.path, s.name) // links may have led there
	}
	t, links, ask = w.wantedIn(t, p)
	return t, append(s.links, links...), ask
}

// wantedIn is wanted for a name that is made, changed or removed in a directory.
func (w *watcher) wantedIn(t enforce.Touch, p string) (enforce.Touch, []enforce.Link, bool) {
	dir, name := split(p)
	s, err := w.s.asking.find(dir, true)
	if err != nil || name == "" || name == "." || name == ".." {
		return t, nil, false
	}
	t.Path, t.Dir, t.Create, t.Dev, t.Ino = s.path, true, name, s.st.Dev, s.st.Ino
	return t, s.links, w.askable(t)
}

// wants says for what a call wants its objects, and whether it follows a link.
func (call named) wants(n seccomp.Notification) (kind enforce.TouchKind, follow bool) {
	kind, follow = enforce.TouchWrite, !call.link
	if call.at > 0 {
		follow = n.Args[call.at]&unix.AT_SYMLINK_NOFOLLOW == 0
	}
	if call.flags > 0 {
		flags := n.Args[call.flags]
		const writes = unix.O_ACCMODE | unix.O_TRUNC | unix.O_CREAT | unix.O_TMPFILE&^unix.O_DIRECTORY
		if flags&unix.O_PATH != 0 || flags&writes == 0 {
			kind = enforce.TouchRead
		}
		follow = flags&unix.O_NOFOLLOW == 0 && !call.anew(n)
	}
	if call.look {
		kind = enforce.TouchRead
	}
	return kind, follow
}

// heard reports whether a call is an open for reading: the trap hears of it, and
// knows what is the view's own or quiet. It is held only where opens are watched.
// A descriptor that stands for a path alone opens nothing that it would hear of.
func (call named) heard(n seccomp.Notification) bool {
	kind, _ := call.wants(n)
	return call.flags > 0 && kind == enforce.TouchRead && n.Args[call.flags]&unix.O_PATH == 0
}

// creates reports whether a call may make its object.
func (call named) creates(n seccomp.Notification) bool {
	return n.Call == callCreat || call.flags > 0 && n.Args[call.flags]&unix.O_CREAT != 0
}

// anew reports whether a call makes its last object, and fails where one is.
func (call named) anew(n seccomp.Notification) bool {
	const anew = unix.O_CREAT | unix.O_EXCL
	return call.makes || call.flags > 0 && n.Args[call.flags]&anew == anew
}

// split is path.Split for paths that may have links: ".." is not worked out.
func split(p string) (dir, name string) {
	p = strings.TrimRight(p, "/")
	i := strings.LastIndexByte(p, '/')
	return p[:i+1], p[i+1:]
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
