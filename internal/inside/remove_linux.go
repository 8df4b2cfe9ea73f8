//go:build linux

package inside

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// RemoveAll removes a folder with what is in it, and says how many names that were. Where
// something in it cannot be removed nothing is, and that is named.
//
// Security: no link is followed and no mount is left: each folder is opened from the one
// that it was found in. What is denied in it, or granted by itself, has a mount of its own
// in the session, which holds all of it up (TestFilesRemoveAll); a program that puts
// something else there meanwhile has that removed which lies in its folder, and nothing
// that a name leads to (TestRemoveAllRace).
func (fs Files) RemoveAll(name string) (n int, err error) {
	dir, base, _, err := fs.beside(name, DeedRemoveAll)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	r := remover{fs: fs}
	err = asSession(func() error {
		if err := fs.removable(dir, base, path.Clean(name)); err != nil {
			return err
		}
		return errors.Join(r.folder(dir, base, path.Clean(name), 0), r.held())
	})
	if err != nil {
		return r.names, fmt.Errorf("remove %s in the session: %w (%d names were removed)", quoted(name), err, r.names)
	}
	return r.names, nil
}

// removable finds what is in the way of removing a folder, before anything is.
func (fs Files) removable(dir *os.File, base, at string) error {
	if err := unix.Faccessat(int(dir.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return err
	}
	r := remover{fs: fs, looks: true}
	return errors.Join(r.folder(dir, base, at, 0), r.held())
}

// A remover walks a folder, and removes what is in it.
type remover struct {
	fs    Files
	looks bool // it only finds what cannot be removed
	names int  // that are removed
	left  []string
	why   error // of the first that is left
}

// mostNamed bounds how much of what is left is named.
const mostNamed = 10

// errEnough ends a walk when enough is known of what is in the way.
var errEnough = errors.New("there may be more")

// leave notes what cannot be removed.
func (r *remover) leave(at string, why error) error {
	if r.why == nil {
		r.why = why
	}
	words := why.Error()
	if errors.Is(why, unix.EBUSY) || errors.Is(why, unix.EXDEV) {
		words = "it is denied, or granted by itself"
	}
	r.left = append(r.left, quoted(at)+" ("+words+")")
	if len(r.left) >= mostNamed {
		return errEnough
	}
	return nil
}

// held is what is in the way; nil: nothing.
func (r *remover) held() error {
	if r.why == nil {
		return nil
	}
	return fmt.Errorf("what is in it cannot be removed: %s: %w", strings.Join(r.left, ", "), r.why)
}

// folder removes a folder with what is in it.
func (r *remover) folder(dir *os.File, name, at string, depth int) error {
	if err := r.fs.unmounted(dir, name); err != nil {
		return r.mounted(dir, name, at, depth, err)
	}
	f, err := openIn(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil && depth == 0 {
		return err
	}
	if err != nil {
		return r.leave(at, err)
	}
	defer f.Close()
	if r.looks && depth == 0 {
		if err := r.shown(f); err != nil || r.why != nil {
			return err // all of it need not be walked
		}
	}
	if err := r.within(f, at, depth); err != nil {
		return err
	}
	if r.looks || r.why != nil {
		return nil
	}
	return r.unlink(dir, name, at, unix.AT_REMOVEDIR)
}

// mounted leaves a folder on which something is mounted. Such are also those on the way to
// what is denied, so that nobody puts others in their place: then what is denied is named.
func (r *remover) mounted(dir *os.File, name, at string, depth int, why error) error {
	before := len(r.left)
	if r.looks {
		how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: beneath &^ unix.RESOLVE_NO_XDEV}
		if fd, err := unix.Openat2(int(dir.Fd()), name, how); err == nil {
			f := os.NewFile(uintptr(fd), name)
			defer f.Close()
			if err := r.within(f, at, depth); err != nil {
				return err
			}
		}
	}
	if len(r.left) > before {
		return nil
	}
	return r.leave(at, why)
}

// shown finds what the view has in a folder, if this process is in the session: there
// only its kernel knows what is mounted, and says so when something is to be removed.
func (r *remover) shown(f *os.File) error {
	at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return err
	}
	for _, p := range r.fs.Shown {
		if p == at || strings.HasPrefix(p, strings.TrimSuffix(at, "/")+"/") {
			if err := r.leave(p, unix.EBUSY); err != nil {
				return err
			}
		}
	}
	return nil
}

// within removes what is in a folder.
func (r *remover) within(f *os.File, at string, depth int) error {
	if depth >= deepest {
		return r.leave(at, fmt.Errorf("it is more than %d folders deep: %w", deepest, unix.ELOOP))
	}
	if r.fs.grows(f) {
		return r.leave(at, fmt.Errorf("files in it only grow, or it is there by names alone: %w", unix.EPERM))
	}
	names, err := namesOf(f)
	if err != nil {
		return r.leave(at, err)
	}
	if len(names) == 0 {
		return nil
	}
	if err := unix.Faccessat(int(f.Fd()), ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return r.leave(at, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := r.name(f, name, path.Join(at, name), depth); err != nil {
			return err
		}
	}
	return nil
}

// name removes one name of a folder.
func (r *remover) name(dir *os.File, name, at string, depth int) error {
	var st unix.Stat_t
	if err := unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return r.leave(at, err)
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return r.folder(dir, name, at, depth+1)
	}
	if err := r.fs.unmounted(dir, name); err != nil {
		return r.leave(at, err)
	}
	if r.looks {
		return nil
	}
	return r.unlink(dir, name, at, 0)
}

func (r *remover) unlink(dir *os.File, name, at string, flags int) error {
	if err := unix.Unlinkat(int(dir.Fd()), name, flags); err != nil {
		return r.leave(at, err)
	}
	r.names++
	return nil
}
