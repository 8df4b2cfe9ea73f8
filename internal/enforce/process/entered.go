//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// readBack compares a program that waits at its threshold with init, which was
// read back at the start.
//
// Security: the process is the one that the kernel says has written to the line. It
// is held to by a descriptor first; what is looked at is its.
func (e *entered) readBack() (err error) {
	if e.pid <= 0 {
		return errors.New("nobody has said where it is")
	}
	if e.pidfd, err = unix.PidfdOpen(e.pid, 0); err != nil {
		return fmt.Errorf("hold to it: %w", err)
	}
	dir, init := "/proc/"+itoa(e.pid), "/proc/"+itoa(e.s.pid)
	status, err := readStatus(dir, "PPid", "FDSize", "Seccomp_filters")
	if err != nil {
		return err
	}
	own, err := readStatus(init, "Seccomp_filters")
	if err != nil {
		return err
	}
	if err := e.holdKeeper(status["PPid"]); err != nil {
		return err
	}
	errs := []error{status.want("Seccomp", "2"), status.want("NoNewPrivs", "1"), status.noCapabilities(), sameNamespaces(dir, init), sameRoot(dir, init)}
	if status["Seccomp_filters"] != own["Seccomp_filters"] {
		errs = append(errs, fmt.Errorf("it has %s filters, and init %s", status["Seccomp_filters"], own["Seccomp_filters"]))
	}
	size, err := strconv.Atoi(status["FDSize"])
	errs = append(errs, err, e.onlyStandard(size), limitsHold(e.pid, e.s.plan, e.s.group))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// It is still the one that was held to: it waits.
	return unix.PidfdSendSignal(e.pidfd, 0, nil, 0)
}

// holdKeeper finds the process that looks after the program: its parent, and
// init's child.
func (e *entered) holdKeeper(parent string) (err error) {
	if e.above, err = strconv.Atoi(parent); err != nil || e.above <= 1 {
		return fmt.Errorf("it has the parent %q", parent)
	}
	if e.keeper, err = unix.PidfdOpen(e.above, 0); err != nil {
		return fmt.Errorf("hold to what looks after it: %w", err)
	}
	status, err := readStatus("/proc/"+parent, "PPid")
	if err == nil && (status["PPid"] != itoa(e.s.pid) || !e.s.holds(e.above)) {
		err = errors.New("it was not made by init")
	}
	return err
}

// sameNamespaces: it is where init is, in each namespace.
func sameNamespaces(dir, init string) error {
	for _, file := range namespaceFile {
		var its, inits unix.Stat_t
		if err := errors.Join(unix.Stat(dir+"/ns/"+file, &its), unix.Stat(init+"/ns/"+file, &inits)); err != nil {
			return fmt.Errorf("look at its %s namespace: %w", file, err)
		}
		if its.Ino != inits.Ino {
			return fmt.Errorf("it is in another %s namespace", file)
		}
	}
	return nil
}

// sameRoot: its view is init's.
func sameRoot(dir, init string) error {
	var its, inits unix.Statx_t
	const want = unix.STATX_INO | unix.STATX_MNT_ID
	for path, st := range map[string]*unix.Statx_t{dir: &its, init: &inits} {
		fd, err := unix.Open(path+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("look at its view: %w", err)
		}
		err = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, want, st)
		if err = errors.Join(err, unix.Close(fd)); err != nil {
			return fmt.Errorf("look at its view: %w", err)
		}
	}
	if its.Ino != inits.Ino || its.Mnt_id != inits.Mnt_id || its.Dev_major != inits.Dev_major || its.Dev_minor != inits.Dev_minor {
		return errors.New("its view is another one")
	}
	return nil
}

// onlyStandard asks for each descriptor by its number: the process cannot be
// looked into, and its folder of descriptors not be listed.
func (e *entered) onlyStandard(size int) error {
	for n := range size {
		fd, err := unix.PidfdGetfd(e.pidfd, n, 0)
		if err == nil {
			_ = unix.Close(fd) // a copy
		}
		wanted := n < 3 || n == errandLine // that is closed when the program is executed
		switch {
		case errors.Is(err, unix.EBADF) && !wanted:
		case err == nil && wanted:
		case err == nil:
			return fmt.Errorf("descriptor %d %w", n, errOpen)
		default:
			return fmt.Errorf("look at descriptor %d: %w", n, err)
		}
	}
	return nil
}

// endWithin is how long is tried to end all that a program has started.
const endWithin = 10 * time.Second

// end kills the program with all that it has started. The program's keeper is the
// parent of what has lost its own, so all of it is beneath the keeper.
//
// Security: a process is held to before it is looked at once more, so that no later
// one with its number is killed.
func (e *entered) end() error {
	if e.above == 0 { // it did not get so far
		return nil
	}
	for until := time.Now().Add(endWithin); ; time.Sleep(time.Millisecond) {
		left, err := e.beneath()
		if err != nil || len(left) == 0 {
			return nil // nobody is left, or nobody can be told
		}
		for _, pid := range left {
			e.s.killOne(pid)
		}
		if time.Now().After(until) {
			return fmt.Errorf("%d processes of it still run", len(left))
		}
	}
}

// killOne kills one process of the sandbox.
func (s *session) killOne(pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for a process
	if pid != s.pid && s.holds(pid) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it may have ended
	}
}

// beneath are the processes beneath the keeper that run.
func (e *entered) beneath() (all []int, err error) {
	select {
	case <-e.s.ended:
		return nil, nil
	default:
	}
	pids, err := e.s.processes()
	if err != nil {
		return nil, err
	}
	parent := make(map[int]int, len(pids))
	for _, pid := range pids {
		if letter, above := parentOf(pid); letter != "Z" && letter != "X" {
			parent[pid] = above
		} else {
			parent[pid] = -above // an ended one: its children have another parent already
		}
	}
	for pid := range parent {
		for up, steps := pid, 0; up > 0 && steps <= len(pids); up, steps = parent[up], steps+1 {
			if parent[up] == e.above && parent[pid] > 0 {
				all = append(all, pid)
				break
			}
		}
	}
	return all, nil
}

// parentOf is a process's state and its parent, of proc_pid_stat(5).
func parentOf(pid int) (state string, parent int) {
	text, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	if err != nil {
		return "", 0
	}
	f := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(f) < 2 {
		return "", 0
	}
	parent, err = strconv.Atoi(string(f[1]))
	if err != nil {
		return "", 0
	}
	return string(f[0]), parent
}
