package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// divide makes our own cgroup hand controllers down to its children, and
// returns it. Root may also use the top of the hierarchy, where processes are
// no obstacle.
//
// The cgroups between are not tried: they belong to whoever started us, who
// may take controllers away again and the limits with them.
func (h host) divide(u Hierarchy, controllers []string, self launcher) (string, error) {
	err := errors.New(u.Why)
	if u.Writable {
		if err = h.handDown(u.Own, controllers, self); err == nil {
			return u.Own, nil
		}
	}
	if len(u.Top) > 0 && h.handDown(u.Mount, controllers, launcher{}) == nil {
		return u.Mount, nil
	}
	var reasons []string
	for _, c := range controllers {
		reasons = append(reasons, c+": "+reason(err))
	}
	return "", unavailable(reasons)
}

// handDown enables controllers for the children of dir. Where we are the only
// process in dir, we move out of the way; a zero self does not.
//
// The kernel itself refuses memory for the children of a cgroup with processes,
// but not pids and cpu: those it takes for limits of threads, and the children
// are then no place for a process (cgroups(7), "Thread mode").
func (h host) handDown(dir string, controllers []string, self launcher) error {
	control := filepath.Join(dir, "cgroup.subtree_control")
	text, err := os.ReadFile(control)
	if err != nil {
		return err
	}
	var missing []string
	for _, c := range controllers {
		if !slices.Contains(strings.Fields(string(text)), c) {
			missing = append(missing, "+"+c)
		}
	}
	back, err := h.stepDown(dir, self)
	if err != nil || len(missing) == 0 {
		return err
	}
	if err := write(control, strings.Join(missing, " ")); err != nil {
		return errors.Join(err, back())
	}
	return nil
}

// occupied lists the processes that have to leave a cgroup before it can be
// divided: self (0: nobody's) and its children. An error names others, who stay.
// The root of all is no obstacle; it is the one without a type.
func occupied(dir string, self int) (ours []int, err error) {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.type")); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	members, err := processes(dir)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(members, func(pid int) bool {
		own := self != 0 && (pid == self || parentOf(pid) == self)
		if own {
			ours = append(ours, pid)
		}
		return own
	})
	if len(others) > 0 {
		return ours, fmt.Errorf("%s in %s, so it cannot be divided: start in a cgroup of its own, "+
			"for example with systemd-run --user --scope -p Delegate=yes", count(int64(len(others)), "other process is", "other processes are"), dir)
	}
	return ours, nil
}

// stepDown moves this process and its children, if they are in dir, to a child
// of dir. That is left to Sweep when this process ends.
func (h host) stepDown(dir string, self launcher) (back func() error, err error) {
	ours, err := occupied(dir, self.pid)
	if err != nil || len(ours) == 0 {
		return func() error { return nil }, err
	}
	child := filepath.Join(dir, self.directory(launcherName))
	if err := h.mkdir(child); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	back = func() error { return errors.Join(move(dir, ours), h.rmdir(child)) }
	if err := move(child, ours); err != nil {
		return nil, errors.Join(err, back())
	}
	return back, nil
}

// move puts processes into a cgroup. One that has ended needs no place.
func move(dir string, pids []int) error {
	for _, pid := range pids {
		if err := write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid)); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// processes lists a cgroup's processes as far as we can see them.
func processes(dir string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("processes of %q: %w", dir, err)
		}
		pids = append(pids, pid) // 0: of a pid namespace that is not ours
	}
	return pids, nil
}
