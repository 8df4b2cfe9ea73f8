package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/holders"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// hide takes what was shown at paths out of the view, wherever it is mounted by now: what
// lies behind it is hidden by the trap again, or shown by a wider grant. It says who holds
// what of it.
func (v *view) hide(process int, paths []string) ([]channel.Held, error) {
	ids, err := v.ids()
	if err != nil {
		return nil, err
	}
	search, err := holders.Look(process, paths, ids)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.inside(func() error { return v.unmount(paths) }); err != nil {
		return nil, err
	}
	for _, p := range paths {
		delete(v.shown, p)
		v.uncovers(p)
		v.trap.Hidden(p)
		for was, fds := range v.parted {
			if strings.HasPrefix(was, p+"/") {
				closeAll(fds)
				delete(v.parted, was)
			}
		}
	}
	open, err := search.Gone()
	return told(open), err
}

// unmount takes mounts away, on top and beneath what covers them. v.mu is held.
func (v *view) unmount(paths []string) error {
	for _, p := range paths {
		if err := v.unmountEach(v.mounts[p]); err != nil {
			return err
		}
		closeAll(v.mounts[p])
		delete(v.mounts, p)
		// What was there at the start is found by its path.
		if err := unmountAll(p); err != nil {
			return err
		}
		for c, fd := range v.covered {
			if p == c || !strings.HasPrefix(p, c+"/") {
				continue
			}
			if err := v.unmountIn(fd, p[len(c)+1:]); err != nil {
				return err
			}
		}
		if err := v.unmountBeneath(p); err != nil {
			return err
		}
	}
	return nil
}

// unmountEach takes mounts away by descriptors of theirs, wherever they are: a program may
// have renamed a folder that one of them lies in.
func (v *view) unmountEach(fds []int) error {
	if err := unix.Fchdir(v.fds); err != nil {
		return err
	}
	defer unix.Chdir("/") //nolint:errcheck // it is there
	for _, fd := range fds {
		if err := unix.Unmount(strconv.Itoa(fd), unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: it went with what it lay on
			return fmt.Errorf("take a mount away: %w", err)
		}
	}
	return nil
}

// unmountIn takes away what is mounted in a directory that is covered. To go there would
// touch it: the way leads from this process's descriptors, in a /proc that the view has not.
func (v *view) unmountIn(dir int, name string) error {
	if err := unix.Fchdir(v.fds); err != nil {
		return err
	}
	return errors.Join(unmountAll(fmt.Sprintf("%d/%s", dir, name)), unix.Chdir("/"))
}

// unmountAll takes away all that is mounted at a path, one on top of the other.
func unmountAll(p string) error {
	for range mostShown {
		switch err := unix.Unmount(p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); {
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return nil // nothing is mounted there
		case err != nil:
			return fmt.Errorf("take away %s: %w", p, err)
		}
	}
	return fmt.Errorf("take away %s: something is mounted there still", p)
}

// told is what the launcher is told of what is open, of as much as it takes.
func told(open [][]enforce.Open) (held []channel.Held) {
	const longest = 256 // of a path, whose end says the most
	for i, all := range open {
		for _, o := range all {
			if len(held) == channel.MostHeld {
				return held
			}
			held = append(held, channel.Held{Of: i, PID: o.PID, Program: o.Program, What: o.What, Path: o.Path[max(0, len(o.Path)-longest):]})
		}
	}
	return held
}
