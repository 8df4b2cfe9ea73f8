package main

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// copied is a mount beneath a cover.
type copied struct {
	fd int
	of string // path of the mount that it is a copy of
}

// covers reports whether a path lies in a directory that was shown: who asks the trap about
// it is beneath the cover.
func (v *view) covers(p string) bool {
	v.names.RLock()
	defer v.names.RUnlock()
	for p != "/" {
		if p = path.Dir(p); v.over[p] {
			return true
		}
	}
	return false
}

// uncovers takes note that nothing is shown at a path any more.
func (v *view) uncovers(p string) {
	v.names.Lock()
	defer v.names.Unlock()
	delete(v.over, p)
}

// on is the path of the innermost mount since the start that p lies on. v.mu is held.
func (v *view) on(p string) string {
	for ; p != "/" && len(v.mounts[p]) == 0; p = path.Dir(p) {
	}
	return p
}

// keep keeps the trap's directories at a path open that somebody may be in, before they are
// covered: itself, and those that lead to what was shown. v.mu is held.
func (v *view) keep(s *channel.Shown) error {
	if !s.Dir {
		return nil
	}
	leads := append(slices.Collect(maps.Keys(v.shown)), v.dir+"/.")
	dirs := []string{s.Path}
	for _, p := range append(leads, s.Kept...) {
		for p = path.Dir(p); strings.HasPrefix(p, s.Path+"/"); p = path.Dir(p) {
			dirs = append(dirs, p)
		}
	}
	trap := statxOf(v.root).Mnt_id
	for _, p := range dirs {
		if _, again := v.covered[p]; again || len(v.covered) >= mostShown {
			continue
		}
		fd, err := unix.Open(p, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		switch {
		case err == nil && statxOf(fd).Mnt_id == trap:
			v.covered[p] = fd
		case err == nil:
			closeAll([]int{fd}) // it was covered by something else
		case p == s.Path:
			return err
		}
	}
	return nil
}

// below shows what a cover has at p beneath the cover too, for whoever came there by a
// directory that is covered: the name by which its way leads on. It does nothing for the
// cover itself.
func (v *view) below(p string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.covers(p) {
		return nil
	}
	over := "" // the innermost: from one further out there is a way that is not hidden
	for c := range v.covered {
		if c != p && strings.HasPrefix(p, c+"/") && len(c) > len(over) {
			over = c
		}
	}
	if over == "" {
		return nil
	}
	name, _, _ := strings.Cut(p[len(over)+1:], "/")
	p = over + "/" + name
	if _, again := v.beneath[p]; again {
		return nil
	}
	if len(v.beneath) >= mostShown {
		return errors.New("too much is shown beneath what covers it")
	}
	return v.inside(func() error {
		tree, err := copyTree(p, 0)
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err = unix.Fstat(tree, &st); err == nil {
			v.trap.Shown(p, st.Mode&unix.S_IFMT == unix.S_IFDIR)
			err = unix.MoveMount(tree, "", v.covered[over], name, unix.MOVE_MOUNT_F_EMPTY_PATH)
		}
		if err != nil {
			v.trap.Hidden(p)
			return errors.Join(err, unix.Close(tree))
		}
		v.beneath[p] = copied{tree, v.on(p)}
		return nil
	})
}

// widenBeneath gives wider rights to what was copied from a mount. v.mu is held.
func (v *view) widenBeneath(of string, attr *unix.MountAttr) error {
	return v.inside(func() error {
		for p, b := range v.beneath {
			if b.of != of {
				continue
			}
			if err := unix.MountSetattr(b.fd, "", unix.AT_EMPTY_PATH, attr); err != nil {
				return fmt.Errorf("widen %s beneath its cover: %w", p, err)
			}
		}
		return nil
	})
}

// changed takes away what is shown beneath a cover by names that are something else by now:
// at their next touch it is shown anew.
func (v *view) changed(names []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_ = v.inside(func() (err error) { // what cannot be taken away stays as it was
		for _, p := range names {
			err = errors.Join(err, v.unmountBeneath(p))
		}
		return err
	})
}

// unmountBeneath takes away what is shown beneath a cover at p and in it. v.mu is held.
func (v *view) unmountBeneath(p string) error {
	for b, c := range v.beneath {
		if b != p && !strings.HasPrefix(b, p+"/") {
			continue
		}
		if err := v.unmountEach([]int{c.fd}); err != nil {
			return err
		}
		closeAll([]int{c.fd})
		delete(v.beneath, b)
		v.trap.Hidden(b)
	}
	return nil
}
