package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix begins the name of every directory that this package makes.
const prefix = "ambit-"

// launcherName is that of the cgroup into which a launcher steps aside.
const launcherName = "launcher"

// A launcher is the process that made a group: its id, where that id means
// something, and when it started, since ids come back.
type launcher struct {
	namespace uint64 // inode of its pid namespace
	pid       int
	start     uint64 // clock ticks since boot
}

func ourselves() (launcher, error) {
	ns, err := pidNamespace()
	if err != nil {
		return launcher{}, err
	}
	start, err := startTime(os.Getpid())
	if err != nil {
		return launcher{}, err
	}
	return launcher{ns, os.Getpid(), start}, nil
}

func pidNamespace() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return 0, fmt.Errorf("find our pid namespace: %w", err)
	}
	return st.Ino, nil
}

// startTime reads field 22 of /proc/PID/stat.
func startTime(pid int) (uint64, error) {
	fields, err := statFields(pid)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// parentOf reads field 4; -1 for a process that is gone.
func parentOf(pid int) int {
	fields, err := statFields(pid)
	if err != nil {
		return -1
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return -1
	}
	return parent
}

// statFields are those of /proc/PID/stat from the third on. The second is a name
// that may hold anything, so counting begins behind its last bracket.
func statFields(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	s := string(text)
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(fields) < 20 {
		return nil, fmt.Errorf("process %d has a short stat line", pid)
	}
	return fields, nil
}

// directory is the name of a group of this launcher.
func (l launcher) directory(name string) string {
	return fmt.Sprintf("%s%s.%d.%d.%d", prefix, name, l.namespace, l.pid, l.start)
}

// parseDirectory undoes directory. Names have no dots.
func parseDirectory(dir string) (launcher, bool) {
	rest, ours := strings.CutPrefix(dir, prefix)
	parts := strings.Split(rest, ".")
	if !ours || len(parts) != 4 {
		return launcher{}, false
	}
	ns, err1 := strconv.ParseUint(parts[1], 10, 64)
	pid, err2 := strconv.Atoi(parts[2])
	start, err3 := strconv.ParseUint(parts[3], 10, 64)
	return launcher{ns, pid, start}, errors.Join(err1, err2, err3) == nil
}

// dead reports whether the launcher is known to be gone.
func (l launcher) dead() bool {
	start, err := startTime(l.pid)
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || err == nil && start != l.start
}

// Sweep removes the empty groups of launchers that died, wherever Create would
// make one. Those with living processes stay, and so do all of launchers in
// other pid namespaces, of which nothing is known.
func Sweep(f Facts) error { return sweep(kernel, f) }

func sweep(h host, f Facts) error {
	ns, err := pidNamespace()
	if err != nil {
		return fmt.Errorf("sweep cgroups: %w", err)
	}
	var errs []error
	for _, parent := range f.parents() {
		entries, err := os.ReadDir(parent)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, e := range entries {
			l, ours := parseDirectory(e.Name())
			if !ours || !e.IsDir() || l.namespace != ns || !l.dead() {
				continue
			}
			err := h.rmdir(filepath.Join(parent, e.Name()))
			if err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("remove cgroup %q: %w", e.Name(), err))
			}
		}
	}
	return errors.Join(errs...)
}

// parents are the directories that hold groups.
func (f Facts) parents() (dirs []string) {
	seen := map[string]bool{}
	add := func(dir string) {
		if dir != "" && !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	if f.Unified.Writable {
		add(f.Unified.Own)
	}
	if len(f.Unified.Top) > 0 {
		add(f.Unified.Mount)
	}
	for _, h := range f.Legacy {
		if h.Writable {
			add(h.Own)
		}
	}
	return dirs
}
