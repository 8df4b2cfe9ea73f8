package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/holders"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// hide takes what was shown at paths out of the view, wherever it is mounted there: what
// lies behind it is hidden by the trap again, or shown by a wider grant. It says who holds
// what of it.
func (v *view) hide(process int, paths []string) ([]channel.Held, error) {
	search, err := holders.Look(process, paths)
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
		v.trap.Hidden(p)
	}
	open, err := search.Gone()
	return told(open), err
}

// unmount takes mounts away, on top and beneath what covers them. v.mu is held.
func (v *view) unmount(paths []string) error {
	for _, p := range paths {
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
		for b, over := range v.beneath {
			if b != p && !strings.HasPrefix(b, p+"/") {
				continue
			}
			if err := v.unmountIn(v.covered[over], b[len(over)+1:]); err != nil {
				return err
			}
			delete(v.beneath, b)
			v.trap.Hidden(b)
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
