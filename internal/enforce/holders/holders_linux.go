// Package holders finds what the processes of a sandbox have open of mounts that are taken
// out of its view.
//
// This package is a mechanism: it reads /proc, and changes nothing.
package holders

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

	"ambit.dev/ambit/internal/enforce"
)

// A Search is what is found out about mounts that are taken away.
type Search struct {
	init int
	at   map[string]int   // by path, where in paths
	ids  map[string]mount // by id
	open [][]enforce.Open
}

// mount is one that is taken away.
type mount struct {
	of   int    // where in paths
	path string // at which it is, or was
}

// Look finds the mounts at paths, which are different ones, and beneath, with the working
// directories and mappings of processes there, while they are still there: the kernel tells
// both by path. init is the first process of the sandbox's pid namespace, which is left out.
// also are ids and paths of mounts that were in the view, and that no other mount has since.
func Look(init int, paths []string, also map[string]string) (*Search, error) {
	s := &Search{init: init, at: map[string]int{}, ids: map[string]mount{}, open: make([][]enforce.Open, len(paths))}
	for i, p := range paths {
		s.at[p] = i
	}
	for id, p := range also {
		s.mount(id, p)
	}
	if err := s.mounts(); err != nil {
		return nil, err
	}
	return s, s.each(func(dir string, o enforce.Open) {
		if cwd, err := os.Readlink(dir + "/cwd"); err == nil {
			o.What = "working directory"
			s.add(cwd, o)
		}
		for _, path := range mapped(dir) {
			o.What = "mapping"
			s.add(path, o)
		}
	})
}

// mounts finds the ids of the mounts at each path and beneath, as init's mount namespace
// has them.
func (s *Search) mounts() error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", s.init))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(line, " ", 6)
		if len(f) <= 4 {
			continue
		}
		s.mount(f[0], enforce.Unescape(f[4]))
	}
	return nil
}

// mount notes a mount, if it is at one of the paths or beneath.
func (s *Search) mount(id, p string) {
	if i, ok := around(s.at, p); ok {
		s.ids[id] = mount{i, p}
	}
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
func (s *Search) each(f func(dir string, o enforce.Open)) error {
	pids, err := Processes(s.init)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if pid == s.init {
			continue // init holds its directory, and does nothing with it
		}
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // it may be gone
		f("/proc/"+strconv.Itoa(pid), enforce.Open{PID: pid, Program: strings.TrimSuffix(string(name), "\n")})
	}
	return nil
}

// add notes what is open at a path, if it is one of those or beneats.
func (s *Search) add(path string, o enforce.Open) {
	if i, ok := around(s.at, path); ok {
		o.Path = path
		s.open[i] = append(s.open[i], o)
	}
}

// Gone finds the descriptors of the mounts, which were taken away since, and returns all
// that is open, by the places of the paths.
func (s *Search) Gone() ([][]enforce.Open, error) {
	return s.open, s.each(func(dir string, o enforce.Open) {
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
			m, ours := s.ids[firstField(id)]
			if !ok || !ours {
				continue
			}
			o.What, o.Path = "descriptor "+fd.Name(), m.path
			if at, err := os.Readlink(dir + "/fd/" + fd.Name()); err == nil && at != "/" {
				o.Path = at
				if !inside(at, m.path) { // of a mount that is taken away it is told from the mount's root
					o.Path = m.path + at
				}
			}
			s.open[m.of] = append(s.open[m.of], o)
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

// Processes are those of the pid namespace of init, as who reads sees them.
func Processes(init int) (pids []int, err error) {
	own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", init))
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

// inside reports whether p is dir or beneath it, by whole components.
func inside(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") //nolint:forbidigo // the separator is part of the prefix
}
