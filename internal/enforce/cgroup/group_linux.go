package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Group is a set of directories, one in each hierarchy that its limits need,
// which processes enter together. It is not safe for concurrent use, but for
// Stats.
type Group struct {
	host   host
	dirs   []directory
	limits Limits
}

// A directory is a group's part of one hierarchy.
type directory struct {
	path        string
	unified     bool
	controllers []string // with limits here
	procs       *os.File // cgroup.procs, for writing
}

// A host makes and removes directories of cgroupfs. Tests have another, since
// in cgroupfs a new directory is full of files and can be removed all the same.
type host struct {
	mkdir func(string) error
	rmdir func(string) error
}

var kernel = host{
	mkdir: func(p string) error { return os.Mkdir(p, 0o755) },
	rmdir: unix.Rmdir,
}

// Create makes a group with limits. name distinguishes the groups of one
// launcher. All limits are set, or nothing is left and an error says why:
// ErrUnavailable where the host has no place for one of them. Without limits
// the group has no directories.
//
// In version 2 a cgroup that hands controllers down may have no processes of
// its own. Where this process is the only one in its cgroup it moves into a
// child of it first, once; so launchers call Create before they start others.
//
// Security: a process and all that it starts are limited from its write into
// each of ProcsFDs on. They stay so while they cannot write to cgroupfs, which
// the view must not show.
func Create(f Facts, name string, l Limits) (*Group, error) {
	return create(kernel, f, name, l)
}

func create(h host, f Facts, name string, l Limits) (_ *Group, err error) {
	if err := l.check(); err != nil {
		return nil, fmt.Errorf("create cgroup: %w", err)
	}
	if name == "" || name == launcherName || strings.ContainsAny(name, "/.\x00\n") {
		return nil, fmt.Errorf("create cgroup: name %q", name)
	}
	self, err := ourselves()
	if err != nil {
		return nil, fmt.Errorf("create cgroup: %w", err)
	}
	g := &Group{host: h, limits: l}
	places, err := h.places(f, l.controllers(), self)
	if err != nil {
		return nil, fmt.Errorf("create cgroup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, g.Remove())
		}
	}()
	for _, p := range places {
		p.path = filepath.Join(p.path, self.directory(name))
		if err := h.mkdir(p.path); err != nil {
			return nil, fmt.Errorf("create cgroup: %w", err)
		}
		g.dirs = append(g.dirs, p)
		d := &g.dirs[len(g.dirs)-1]
		if err := d.limit(l); err != nil {
			return nil, fmt.Errorf("limit cgroup: %w", err)
		}
		d.procs, err = os.OpenFile(filepath.Join(d.path, "cgroup.procs"), os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("open cgroup: %w", err)
		}
	}
	return g, nil
}

// places returns the parent directory for each hierarchy that is needed, ready
// for children.
func (h host) places(f Facts, needed []string, self launcher) ([]directory, error) {
	var places []directory
	var unified, reasons []string
	for _, c := range needed {
		switch at, v2, why := f.place(c); {
		case why != "":
			reasons = append(reasons, c+": "+why)
		case v2:
			unified = append(unified, c)
		default:
			places = append(places, directory{path: at.Own, controllers: []string{c}})
		}
	}
	if len(reasons) > 0 {
		return nil, unavailable(reasons)
	}
	if len(unified) > 0 {
		parent, err := h.divide(f.Unified, unified, self)
		if err != nil {
			return nil, err
		}
		places = append(places, directory{path: parent, unified: true, controllers: unified})
	}
	return merged(places), nil
}

// merged joins places that are one directory: controllers mounted together.
func merged(places []directory) (out []directory) {
	for _, p := range places {
		found := false
		for i := range out {
			if out[i].path == p.path {
				out[i].controllers = append(out[i].controllers, p.controllers...)
				found = true
			}
		}
		if !found {
			out = append(out, p)
		}
	}
	return out
}

// ProcsFDs returns open descriptors of the group's cgroup.procs files. A
// process that writes "0" into each of them is in the group. They stay the
// group's, and are close-on-exec.
func (g *Group) ProcsFDs() []int {
	var fds []int
	for _, d := range g.dirs {
		fds = append(fds, int(d.procs.Fd()))
	}
	return fds
}

// Limits returns what the group was made with.
func (g *Group) Limits() Limits { return g.limits }

// CloseFDs closes the descriptors, once all that should enter has entered.
func (g *Group) CloseFDs() error {
	var errs []error
	for i := range g.dirs {
		if f := g.dirs[i].procs; f != nil {
			errs = append(errs, f.Close())
			g.dirs[i].procs = nil
		}
	}
	return errors.Join(errs...)
}

// Remove closes the descriptors and removes the directories. It waits a while
// for processes that were killed to be gone; where some live on the error
// wraps EBUSY and Remove may be called again.
func (g *Group) Remove() error {
	errs := []error{g.CloseFDs()}
	var left []directory
	for _, d := range g.dirs {
		if err := g.host.remove(d.path); err != nil {
			errs = append(errs, err)
			left = append(left, d)
		}
	}
	g.dirs = left
	return errors.Join(errs...)
}

// removePatience is for zombies: a process leaves its cgroup when it is
// reaped, or later.
const removePatience = 2 * time.Second

func (h host) remove(path string) error {
	for end := time.Now().Add(removePatience); ; time.Sleep(5 * time.Millisecond) {
		err := h.rmdir(path)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
			return nil
		case !errors.Is(err, unix.EBUSY) || time.Now().After(end):
			return fmt.Errorf("remove cgroup %q: %w", path, err)
		}
	}
}

// limit writes the limits of the directory's controllers.
func (d *directory) limit(l Limits) error {
	for _, s := range d.settings(l) {
		err := write(filepath.Join(d.path, s.file), s.value)
		if s.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A setting is one file to write. An optional one may be absent: the kernel
// was built without what it closes.
type setting struct {
	file, value string
	optional    bool
}

const cpuPeriod = 100_000 // µs, the kernel's own default

func (d *directory) settings(l Limits) (out []setting) {
	bytes, count := strconv.FormatInt(l.MemoryBytes, 10), strconv.FormatInt(l.PIDs, 10)
	quota := strconv.FormatInt(l.CPUMilli*cpuPeriod/1000, 10)
	for _, c := range d.controllers {
		switch {
		case c == memory && d.unified:
			out = append(out, setting{"memory.max", bytes, false},
				setting{"memory.swap.max", "0", true},
				setting{"memory.oom.group", "1", false}) // one of many dying leaves a program that hangs
		case c == memory:
			// The first must not exceed the second, which is unlimited until then.
			out = append(out, setting{"memory.limit_in_bytes", bytes, false},
				setting{"memory.memsw.limit_in_bytes", bytes, true})
		case c == pids:
			out = append(out, setting{"pids.max", count, false})
		case c == cpu && d.unified:
			out = append(out, setting{"cpu.max", fmt.Sprintf("%s %d", quota, cpuPeriod), false})
		case c == cpu:
			out = append(out, setting{"cpu.cfs_period_us", strconv.Itoa(cpuPeriod), false},
				setting{"cpu.cfs_quota_us", quota, false})
		}
	}
	return out
}

// write writes a control file, which must be there.
func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}
