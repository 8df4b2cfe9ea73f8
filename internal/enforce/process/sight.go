//go:build linux

package process

import (
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// A sight is where a path of the view leads, if the view also had what is
// hidden.
type sight struct {
	path   string // without links
	name   string // what is not there, in the directory path; "" where the object is there
	st     unix.Stat_t
	hidden bool           // the host has it and the view has not
	links  []enforce.Link // hidden symbolic links on the way; without a target: a directory that ".." leads out of
}

// find is where a path leads: in a view with a trap as the host has it, since
// whoever serves the trap must not walk in the view.
func (a *asking) find(p string, follow bool) (sight, error) {
	if a.trap == nil {
		return a.walk(p, follow)
	}
	real, st, err := a.resolved(p, follow)
	return sight{path: real, st: st}, err
}

// maxWalk is the kernel's own bound on symbolic links in one walk (path_resolution(7)).
const maxWalk = 40

// errOwn ends a walk where only the sandbox can say what is there.
var errOwn = errors.New("the sandbox's own")

// walk follows a path of the view as the kernel would: through what is mounted
// by the view, through what is not by the skeleton, else by the host. A last
// component that is nowhere is ENOENT, with its directory in the sight.
//
// Security: it only finds what to ask about. It opens nothing but O_PATH, and no
// link leads out of the view's root or into /proc, where the reader would be
// taken for the caller.
func (a *asking) walk(p string, follow bool) (s sight, err error) { return a.walkBy(p, follow, 0) }

// walkBy is walk, by what openat2(2) is told of resolving besides.
func (a *asking) walkBy(p string, follow bool, resolve uint64) (s sight, err error) {
	follow = follow || strings.HasSuffix(p, "/")
	s = sight{path: "/", st: unix.Stat_t{Mode: unix.S_IFDIR}}
	met := 0
	for rest := strings.Split(p, "/"); len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if s.st.Mode&unix.S_IFMT != unix.S_IFDIR {
			return s, unix.ENOTDIR
		}
		if name == ".." && s.hidden {
			s.links = append(s.links, enforce.Link{Path: s.path})
		}
		next := path.Join(s.path, name) // "" and "." are itself, ".." is above: path has no links
		here, err := a.spot(next, resolve)
		if errors.Is(err, unix.ENOENT) && !slices.ContainsFunc(rest, func(r string) bool { return r != "" }) {
			s.name = name
		}
		if err != nil {
			return s, err
		}
		if here.link != "" && here.hidden {
			s.links = append(s.links, enforce.Link{Path: next, Target: here.link})
		}
		if here.link == "" || len(rest) == 0 && !follow {
			s.path, s.st, s.hidden = next, here.st, here.hidden
			continue
		}
		if met++; met > maxWalk {
			return s, unix.ELOOP
		}
		if path.IsAbs(here.link) {
			s.path = "/"
		}
		rest = append(strings.Split(here.link, "/"), rest...)
	}
	return s, nil
}

// A spot is what is at one name, without following it.
type spot struct {
	st     unix.Stat_t
	link   string // its target, if it is one
	hidden bool
}

// spot looks at a path without links. For a name of the skeleton the host's
// object of that name is told, which is what can be shown in its place.
func (a *asking) spot(p string, resolve uint64) (spot, error) {
	if own(p) {
		return spot{}, errOwn
	}
	if _, ok := a.attach.at(p); ok {
		return spotBeneath(int(a.view.Load()), p, resolve)
	}
	n, ok := a.attach.skeleton.own(p)
	switch {
	case ok && n.link != "":
		return spot{link: n.link, st: unix.Stat_t{Mode: unix.S_IFLNK}}, nil
	case ok:
		found, err := spotBeneath(a.host, p, resolve)
		if err != nil || found.link != "" { // the host has it not, or not so
			found = spot{st: unix.Stat_t{Mode: n.mode}}
		}
		return found, nil
	case a.quiet(p):
		return spot{}, unix.ENOENT
	}
	found, err := spotBeneath(a.host, p, resolve)
	found.hidden = true
	return found, err
}

func spotBeneath(root int, p string, resolve uint64) (s spot, err error) {
	fd, err := openBeneath(root, p, unix.O_NOFOLLOW, unix.RESOLVE_NO_SYMLINKS|resolve)
	if err != nil {
		return spot{}, err
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for an object
	if err := unix.Fstat(fd, &s.st); err != nil || s.st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return s, err
	}
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", b)
	s.link = string(b[:max(n, 0)])
	return s, err
}

// openBeneath opens an object for its identity alone, as if root were /.
func openBeneath(root int, p string, flags, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | resolve}
	for {
		fd, err := unix.Openat2(root, p, &how)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// resolveCached is RESOLVE_CACHED (linux/openat2.h): what is not in memory
// answers EAGAIN.
const resolveCached = 0x20

// glance is the quick part of walk, for the listener's thread: it never waits
// for a disk or a network. It returns where the path leads in the view, or, where
// something that is mounted has no such name, that path; false: walk has to say.
func (a *asking) glance(p string, follow bool) (real string, there, ok bool) {
	view := int(a.view.Load())
	flags := uint64(unix.O_NOFOLLOW)
	if follow {
		flags = 0
	}
	fd, err := openBeneath(view, p, flags, unix.RESOLVE_NO_SYMLINKS|resolveCached)
	switch {
	case err == nil:
		_ = unix.Close(fd) // it only stood for an object
		return path.Clean(p), true, true
	case errors.Is(err, unix.ENOENT) && !strings.Contains(p, ".."):
		// No link was met, and what is mounted there is there: the name is not in it.
		real = path.Clean(p)
		_, ok := a.attach.at(real)
		return real, false, ok
	case errors.Is(err, unix.ELOOP):
		if fd, err = openBeneath(view, p, flags, resolveCached); err == nil {
			real, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
			_ = unix.Close(fd) // it only stood for an object
			return real, err == nil, err == nil
		}
		// A time of access that is to be written stops the kernel there, too.
		s, err := a.walkBy(p, follow, resolveCached)
		return s.path, err == nil, err == nil && !s.hidden && len(s.links) == 0
	}
	return "", false, false
}

// own reports whether a path is of those that every sandbox has of its own, and
// that mean something else to whoever looks from outside.
func own(p string) bool { return inside(p, "/proc") || inside(p, "/dev") || inside(p, "/sys") }

// quiet reports whether what the view has not at p is hidden without a question.
func (a *asking) quiet(p string) bool {
	return slices.ContainsFunc(a.attach.plan.Quiet, func(q string) bool { return q == "/" || inside(p, q) })
}
