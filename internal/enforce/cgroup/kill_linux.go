package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// killPatience bounds the rounds of Kill where the kernel cannot do it in one.
const killPatience = 2 * time.Second

// Kill ends every process of the group. It does not wait for them to be
// reaped.
//
// Security: where cgroup.kill is missing (version 1, Linux before 5.14) the
// group is first kept from making processes, if it has the pids controller;
// without that, processes that fork fast enough can outlast it, and then it
// returns an error.
func (g *Group) Kill() error {
	for _, d := range g.dirs {
		if !d.unified {
			continue
		}
		err := write(filepath.Join(d.path, "cgroup.kill"), "1")
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return wrap("kill cgroup", err)
		}
	}
	for _, d := range g.dirs {
		if slices.Contains(d.controllers, pids) {
			if err := write(filepath.Join(d.path, "pids.max"), "0"); err != nil {
				return wrap("kill cgroup", err)
			}
		}
	}
	for _, d := range g.dirs {
		if err := killAll(d.path); err != nil {
			return wrap("kill cgroup", err)
		}
	}
	return nil
}

func killAll(dir string) error {
	for end := time.Now().Add(killPatience); ; time.Sleep(time.Millisecond) {
		members, err := processes(dir)
		if errors.Is(err, fs.ErrNotExist) || err == nil && len(members) == 0 {
			return nil
		}
		if err == nil {
			err = killThese(dir, members)
		}
		if err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d processes of %q live on", len(members), dir)
		}
	}
}

// killThese kills by descriptor those that are still members once it has the
// descriptor: an id that was read may belong to somebody else by then.
func killThese(dir string, members []int) error {
	fds := map[int]int{}
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for _, pid := range members {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			fds[pid] = fd
		} else if !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	still, err := processes(dir)
	if err != nil {
		return err
	}
	for _, pid := range still {
		if fd, ok := fds[pid]; ok {
			if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("process %d: %w", pid, err)
			}
		}
	}
	return nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
