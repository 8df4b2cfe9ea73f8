//go:build linux

package process

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// Hide takes the mounts of grants out of the running view.
//
// Security: from here on no path leads to them: where the view asks, they are
// hidden again, elsewhere they are masked. What processes have open of them stays
// open, and is what is returned; only their end ends that.
func (s *session) Hide(paths ...string) (open [][]enforce.Open, err error) {
	open = make([][]enforce.Open, len(paths))
	if s.attach == nil {
		return nil, fmt.Errorf("internal error: hide %q in a session that is not there", paths)
	}
	h := hiding{s: s, open: open, at: map[string]int{}, ids: map[string]int{}}
	for i, p := range paths {
		on, ok := s.attach.at(p)
		switch {
		case !ok || on.Op == enforce.OpMask:
			continue // the view has it not
		case on.Path != p && isSocket(p):
			// The folder that it lies in is still granted, and does not give it.
			if err := s.attach.attach([]enforce.Entry{{Op: enforce.OpMask, Path: p, Socket: true}}); err != nil {
				return nil, err
			}
			continue
		case on.Path != p:
			continue // a wider grant shows it
		case on.Op != enforce.OpBind:
			return nil, fmt.Errorf("%s is the sandbox's own, and no grant", p)
		}
		if _, twice := h.at[p]; !twice {
			h.at[p] = i
			h.paths = append(h.paths, p)
			h.shown = append(h.shown, on)
		}
	}
	if len(h.paths) == 0 {
		return open, nil
	}
	if err := h.look(); err != nil {
		return nil, err
	}
	if err := s.takeAway(h.shown); err != nil {
		return nil, err
	}
	return open, h.descriptors()
}

// isSocket reports whether the host has a unix socket at p.
func isSocket(p string) bool {
	var st unix.Stat_t
	return unix.Lstat(p, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// takeAway takes mounts out of the view. Where the view asks, their names are
// hidden again; elsewhere what lies beneath, which may be a wider grant without
// the masks that lay in it, is masked.
func (s *session) takeAway(shown []enforce.Entry) error {
	shown = slices.SortedFunc(slices.Values(shown), func(a, b enforce.Entry) int { return strings.Compare(a.Path, b.Path) })
	paths := make([]string, len(shown))
	for i, e := range shown {
		paths[i] = e.Path
	}
	if err := s.attach.detach(paths...); err != nil {
		return err
	}
	for _, e := range shown {
		on, _ := s.attach.at(e.Path)
		switch {
		case s.plan.Asks(), on.Op == enforce.OpMask: // it lay in another one that is masked
		default:
			if err := s.attach.attach([]enforce.Entry{{Op: enforce.OpMask, Path: e.Path, Dir: e.Dir}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// mountsAt are the ids of the mounts at each path and beneath, as init's mount
// namespace has them.
func mountsAt(init int, paths ...string) (ids [][]string, err error) {
	text, err := read("/proc/" + itoa(init) + "/mountinfo")
	if err != nil {
		return nil, err
	}
	at := make(map[string]int, len(paths))
	for i, p := range paths {
		at[p] = i
	}
	ids = make([][]string, len(paths))
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(line, " ", 6)
		if len(f) <= 4 {
			continue
		}
		if i, ok := around(at, enforce.Unescape(f[4])); ok {
			ids[i] = append(ids[i], f[0])
		}
	}
	return ids, nil
}

// around finds the outermost of the paths that p is or lies in.
func around(paths map[string]int, p string) (which int, found bool) {
	for {
		if i, ok := paths[p]; ok {
			which, found = i, true
		}
		if p == "/" || p == "" || p == "." {
			return which, found
		}
		p = path.Dir(p)
	}
}

// each calls f for each process of the sandbox. One that ends meanwhile has
// nothing.
func (s *session) each(f func(dir string, o enforce.Open)) error {
	pids, err := s.processes()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pid == s.pid {
			continue // init holds its directory, and does nothing with it
		}
		name, _ := program(pid)
		f("/proc/"+itoa(pid), enforce.Open{PID: pid, Program: name})
	}
	return nil
}

// hiding is what is found out about what is taken away.
type hiding struct {
	s     *session
	paths []string
	shown []enforce.Entry
	at    map[string]int // by path, where in open
	ids   map[string]int // by id of a mount, where in open
	open  [][]enforce.Open
}

// look finds the mounts, and the working directories and mappings beneath, while
// they are still there: the kernel tells both by path.
func (h *hiding) look() error {
	ids, err := mountsAt(h.s.pid, h.paths...)
	if err != nil {
		return err
	}
	for i, p := range h.paths {
		for _, id := range ids[i] {
			h.ids[id] = h.at[p]
		}
	}
	return h.s.each(func(dir string, o enforce.Open) {
		if cwd, err := os.Readlink(dir + "/cwd"); err == nil {
			o.What = "working directory"
			h.add(cwd, o)
		}
		for _, path := range mapped(dir) {
			o.What = "mapping"
			h.add(path, o)
		}
	})
}

// add notes what is open at a path, if it is one of those or beneath.
func (h *hiding) add(path string, o enforce.Open) {
	if i, ok := around(h.at, path); ok {
		o.Path = path
		h.open[i] = append(h.open[i], o)
	}
}

// descriptors finds those of the mounts, which are gone.
func (h *hiding) descriptors() error {
	return h.s.each(func(dir string, o enforce.Open) {
		fds, err := os.ReadDir(dir + "/fd")
		if err != nil {
			return
		}
		for _, fd := range fds {
			info, err := os.ReadFile(dir + "/fdinfo/" + fd.Name())
			if err != nil {
				continue
			}
			_, id, ok := bytes.Cut(info, []byte("mnt_id:"))
			i, ours := h.ids[firstField(id)]
			if !ok || !ours {
				continue
			}
			p := h.paths[slices.IndexFunc(h.paths, func(p string) bool { return h.at[p] == i })]
			o.What, o.Path = "descriptor "+fd.Name(), p
			if at, err := os.Readlink(dir + "/fd/" + fd.Name()); err == nil && at != "/" {
				o.Path = at
				if !inside(at, p) { // of a mount that is taken away it is told from the mount's root
					o.Path = p + at
				}
			}
			h.open[i] = append(h.open[i], o)
		}
	})
}

func firstField(b []byte) string {
	f := bytes.Fields(b)
	if len(f) == 0 {
		return ""
	}
	return string(f[0])
}

// mapped are the files that a process has mapped.
func mapped(dir string) (paths []string) {
	f, err := os.Open(dir + "/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		_, path, ok := strings.Cut(lines.Text(), "/")
		if path = "/" + path; ok && !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// processes are those of the sandbox's pid namespace, as the host sees them.
func (s *session) processes() (pids []int, err error) {
	own, err := os.Readlink("/proc/" + itoa(s.pid) + "/ns/pid")
	if err != nil {
		return nil, fmt.Errorf("look at the sandbox: %w", err)
	}
	found, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		return nil, err
	}
	for _, name := range found {
		if ns, err := os.Readlink(name); err == nil && ns == own {
			if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}
