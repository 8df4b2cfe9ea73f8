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
	err := h.handDown(u.Own, controllers, self)
	if err == nil {
		return u.Own, nil
	}
	if u.Mount != u.Own && os.Geteuid() == 0 {
		if h.handDown(u.Mount, controllers, launcher{}) == nil {
			return u.Mount, nil
		}
	}
	var reasons []string
	for _, c := range controllers {
		reasons = append(reasons, c+": "+reason(err))
	}
	return "", unavailable(reasons)
}

// handDown enables controllers for the children of dir. Where we are the only
// process in dir, we move out of the way; a zero self does not.
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
	if len(missing) == 0 {
		return nil
	}
	enable := strings.Join(missing, " ")
	if err := write(control, enable); !errors.Is(err, unix.EBUSY) || self.pid == 0 {
		return err
	}
	back, err := h.stepDown(dir, self)
	if err != nil {
		return err
	}
	if err := write(control, enable); err != nil {
		return errors.Join(err, back())
	}
	return nil
}

// stepDown moves this process from dir, which it must have for itself, to a
// child of dir. The child is left to Sweep when this process ends.
func (h host) stepDown(dir string, self launcher) (back func() error, err error) {
	members, err := processes(dir)
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(members, func(pid int) bool { return pid == self.pid })
	if len(others) > 0 {
		return nil, fmt.Errorf("%d other processes are in %s, so it cannot be divided: start in a cgroup of its own, "+
			"for example with systemd-run --user --scope -p Delegate=yes", len(others), dir)
	}
	child := filepath.Join(dir, self.directory(launcherName))
	if err := h.mkdir(child); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	if err := write(filepath.Join(child, "cgroup.procs"), "0"); err != nil {
		return nil, errors.Join(err, h.rmdir(child))
	}
	return func() error {
		return errors.Join(write(filepath.Join(dir, "cgroup.procs"), "0"), h.rmdir(child))
	}, nil
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
