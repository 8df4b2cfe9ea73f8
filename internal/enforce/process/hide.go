//go:build linux

package process

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/enforce"
)

// Hide takes a grant's mount out of the running view.
//
// Security: from here on no path leads to it: where the view asks, it is hidden
// again, elsewhere it is masked. What processes have open of it stays open, and
// is what is returned; only their end ends that.
func (s *session) Hide(p string) ([]enforce.Open, error) {
	if s.attach == nil {
		return nil, fmt.Errorf("internal error: hide %s in a session that is not there", p)
	}
	on, ok := s.attach.at(p)
	switch {
	case !ok || on.Op == enforce.OpMask:
		return nil, nil // the view has it not
	case on.Path != p:
		return nil, nil // a wider grant shows it
	case on.Op != enforce.OpBind:
		return nil, fmt.Errorf("%s is the sandbox's own, and no grant", p)
	}
	ids, err := mountsAt(s.pid, p)
	if err != nil {
		return nil, err
	}
	held, err := s.held(p)
	if err != nil {
		return nil, err
	}
	if err := s.takeAway(p, on.Dir); err != nil {
		return nil, err
	}
	open, err := s.open(p, ids)
	return append(held, open...), err
}

// takeAway takes a mount out of the view. Where the view asks, its name is hidden
// again; elsewhere what lies beneath, which may be a wider grant without the masks
// that lay in it, is masked.
func (s *session) takeAway(p string, dir bool) error {
	err := s.attach.detach(p)
	switch {
	case err != nil:
		return err
	case !s.plan.Asks():
		return s.attach.attach([]enforce.Entry{{Op: enforce.OpMask, Path: p, Dir: dir}})
	case s.asking.trap != nil:
		s.asking.trap.Hidden(p)
	}
	return nil
}

// mountsAt are the ids of the mounts at p and beneath, as init's mount
// namespace has them.
func mountsAt(init int, p string) (ids []string, err error) {
	text, err := read("/proc/" + itoa(init) + "/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(line, " ")
		if len(f) > 4 && inside(unescape(f[4]), p) {
			ids = append(ids, f[0])
		}
	}
	return ids, nil
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

// held are the working directories and mappings beneath p. It is asked while p
// is still there, since the kernel tells both by path.
func (s *session) held(p string) (all []enforce.Open, err error) {
	err = s.each(func(dir string, o enforce.Open) {
		if cwd, err := os.Readlink(dir + "/cwd"); err == nil && inside(cwd, p) {
			o.What, o.Path = "working directory", cwd
			all = append(all, o)
		}
		for _, path := range mapped(dir, p) {
			o.What, o.Path = "mapping", path
			all = append(all, o)
		}
	})
	return all, err
}

// open are the descriptors of the mounts with these ids, which were at p.
func (s *session) open(p string, ids []string) (all []enforce.Open, err error) {
	err = s.each(func(dir string, o enforce.Open) {
		fds, err := os.ReadDir(dir + "/fd")
		if err != nil {
			return
		}
		for _, fd := range fds {
			info, err := os.ReadFile(dir + "/fdinfo/" + fd.Name())
			if err != nil {
				continue
			}
			if _, id, ok := bytes.Cut(info, []byte("mnt_id:")); ok && slices.Contains(ids, firstField(id)) {
				o.What, o.Path = "descriptor "+fd.Name(), p
				if at, err := os.Readlink(dir + "/fd/" + fd.Name()); err == nil && at != "/" {
					o.Path = at
					if !inside(at, p) { // of a mount that is taken away it is told from the mount's root
						o.Path = p + at
					}
				}
				all = append(all, o)
			}
		}
	})
	return all, err
}

func firstField(b []byte) string {
	f := bytes.Fields(b)
	if len(f) == 0 {
		return ""
	}
	return string(f[0])
}

// mapped are the files beneath p that a process has mapped.
func mapped(dir, p string) (paths []string) {
	f, err := os.Open(dir + "/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		_, path, ok := strings.Cut(lines.Text(), "/")
		if path = "/" + path; ok && inside(path, p) && !slices.Contains(paths, path) {
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
