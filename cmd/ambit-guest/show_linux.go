package main

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/trap"
)

// mostShown bounds the mounts that are made beneath covers.
const mostShown = 1000

// view shows things in the view of a sandbox that runs. A program may be in a
// directory of the trap that is covered later: its relative paths still begin there.
// So such directories are kept open, and what is touched beneath the cover is shown
// there too.
type view struct {
	trap     *trap.Trap
	exchange func(into int, rel string, n int) error // agent.exchange
	orders   chan func()                             // done by a thread that is in the sandbox's mounts
	fds      int                                     // /proc/self/fd, which the sandbox has not
	root     int                                     // O_PATH descriptor of the view's root
	uid, gid int                                     // of the programs
	dir      string                                  // in which the first one begins

	mu      sync.Mutex
	shown   map[string]rights // guarded by mu; by path
	mounts  map[string][]int  // guarded by mu; by path: what was mounted there, wherever it is by now
	covered map[string]int    // guarded by mu; by path: the trap's directory
	beneath map[string]copied // guarded by mu; by path: what is mounted beneath a cover
	parted  map[string][]int  // guarded by mu; by path: what was mounted there, and became a part of something

	names sync.RWMutex    // never held while anything is mounted or walked to
	over  map[string]bool // guarded by names: the directories that were shown
}

// rights are what may be done with what was shown, beside reading it.
type rights struct{ write, exec bool }

func (v *view) init(t *trap.Trap, r *channel.Prepare, exchange func(into int, rel string, n int) error) {
	v.trap, v.uid, v.gid, v.dir, v.exchange, v.orders = t, r.UID, r.GID, r.Dir, exchange, make(chan func())
	v.shown, v.mounts, v.covered, v.beneath, v.parted = map[string]rights{}, map[string][]int{}, map[string]int{}, map[string]copied{}, map[string][]int{}
	v.over = map[string]bool{}
}

// enter has a thread go where a process's mounts are, for ever.
func (v *view) enter(process int) error {
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/mnt", process), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if v.root, err = unix.Open(fmt.Sprintf("/proc/%d/root", process), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("open the view: %w", err)
	}
	if v.fds, err = unix.Open("/proc/self/fd", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	const most = 1 << 16 // each mount that is shown takes one
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("raise the bound on descriptors: %w", err)
	}
	entered := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Setns(ns, unix.CLONE_NEWNS)
		}
		entered <- errors.Join(err, unix.Close(ns))
		for do := range v.orders {
			do()
		}
	}()
	if err := <-entered; err != nil {
		return fmt.Errorf("enter the sandbox's mounts: %w", err)
	}
	return nil
}

// inside has something done in the sandbox's mounts.
func (v *view) inside(do func() error) error {
	done := make(chan error)
	v.orders <- func() { done <- do() }
	return <-done
}

// gives reports whether a path lies in what was shown with a right.
func (v *view) gives(p string, want channel.Want) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for ; p != "/"; p = path.Dir(p) {
		if r, ok := v.shown[p]; ok {
			return (want != channel.WantWrite || r.write) && (want != channel.WantRun || r.exec)
		}
	}
	return false
}

// show shows a tree that was put here.
func (v *view) show(n int, s *channel.Shown) (err error) {
	if s == nil {
		return errors.New("nothing is said of what to show")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	parts, err := v.join(n, s)
	if err != nil {
		return err
	}
	if s.Wider {
		err = v.widen(s)
	} else {
		err = v.place(n, s)
	}
	if err != nil {
		return errors.Join(err, v.undo(n, s, len(parts), parts))
	}
	v.shown[s.Path] = rights{s.Write, s.Exec}
	if s.Dir {
		v.names.Lock()
		v.over[s.Path] = true
		v.names.Unlock()
	}
	return v.part(s, parts)
}

// place mounts a tree where it is shown. v.mu is held.
func (v *view) place(n int, s *channel.Shown) error {
	tree, err := copyTree(treePath(n), 0)
	if err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if !s.Exec {
		attr.Attr_set |= unix.MOUNT_ATTR_NOEXEC
	}
	if !s.Write {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return errors.Join(fmt.Errorf("limit what may be done with it: %w", err), unix.Close(tree))
	}
	v.trap.Shown(s.Path, s.Dir)
	err = v.inside(func() error {
		if err := v.cover(tree, s); err != nil {
			return err
		}
		return v.unmountBeneath(s.Path) // it is shown anew
	})
	if err != nil {
		v.trap.Hidden(s.Path)
		return errors.Join(err, unix.Close(tree))
	}
	v.mounts[s.Path] = append(v.mounts[s.Path], tree)
	return nil
}

// widen gives what is shown wider rights, in its place: whoever works there goes on in it.
// v.mu is held.
func (v *view) widen(s *channel.Shown) error {
	attr := unix.MountAttr{}
	if s.Write {
		attr.Attr_clr |= unix.MOUNT_ATTR_RDONLY
	}
	if s.Exec {
		attr.Attr_clr |= unix.MOUNT_ATTR_NOEXEC
	}
	if err := v.inside(func() error { return unix.MountSetattr(unix.AT_FDCWD, s.Path, unix.AT_SYMLINK_NOFOLLOW, &attr) }); err != nil {
		return fmt.Errorf("widen %s: %w", s.Path, err)
	}
	return v.widenBeneath(s.Path, &attr)
}

// cover places a tree, with what the view has beneath on top of it. v.mu is held.
func (v *view) cover(tree int, s *channel.Shown) (err error) {
	var kept []int
	defer func() {
		if err != nil {
			closeAll(kept)
		}
	}()
	for _, k := range s.Kept {
		fd, err := copyTree(k, unix.AT_RECURSIVE)
		if err != nil {
			return err
		}
		kept = append(kept, fd)
	}
	if err := v.keep(s); err != nil {
		return err
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, s.Path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("show %s: %w", s.Path, err)
	}
	for i, fd := range kept {
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, s.Kept[i], unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return errors.Join(fmt.Errorf("keep %s: %w", s.Kept[i], err), unix.Unmount(s.Path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
		}
	}
	for i, fd := range kept {
		v.mounts[s.Kept[i]] = append(v.mounts[s.Kept[i]], fd)
	}
	return nil
}

// closeAll closes descriptors that only stand for mounts.
func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

// copyTree makes a mount of what is at a path, not yet placed.
func copyTree(p string, recursive uint) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, p, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW|recursive)
	if err != nil {
		return -1, fmt.Errorf("copy the mount of %s: %w", p, err)
	}
	return fd, nil
}
