//go:build linux

package changes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Conflict is what somebody else has changed since the session began.
type Conflict struct{ Path string }

func (c *Conflict) Error() string {
	return fmt.Sprintf("%q was changed on the host since the session began; nothing was applied", c.Path)
}

// A step puts one thing into its place, by one call that can be taken back by
// another. Number is its name in the stage; Ino that of what is put there, 0 if
// something is taken away.
type step struct {
	Path   string `json:"path"`
	Number int    `json:"number"`
	Ino    uint64 `json:"ino,omitempty"`
	Swap   bool   `json:"swap,omitempty"` // what was there goes to the stage
	// Of a directory that is there already only the mode is changed, from Was to Now.
	Mode     bool `json:"mode,omitempty"`
	Was, Now fs.FileMode
}

// journal is the file with the steps of an application that has begun. It does not
// lie in the source, where programs may write that were granted it.
func (s *Set) journal() string { return path.Join(s.dir, "journal.json") }

// Apply applies changes of the list to the directory: those that keep answers yes to,
// or all. A directory that is needed for one of them is made with it.
func (s *Set) Apply(keep func(Change) bool) (applied []Change, err error) {
	if err := s.recover(); err != nil {
		return nil, err
	}
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	applied = chosen(all, keep)
	if len(applied) == 0 {
		return nil, nil
	}
	source, err := s.source()
	if err != nil {
		return nil, err
	}
	defer source.Close() //nolint:errcheck // its files were synced
	for _, c := range applied {
		if err := s.unchanged(source, c); err != nil {
			return nil, err
		}
	}
	a := application{set: s, source: source}
	if err := a.stage(applied); err != nil {
		return nil, errors.Join(err, a.end())
	}
	for _, st := range a.steps {
		if err := a.do(st); err != nil {
			return nil, errors.Join(fmt.Errorf("apply %q: %w; nothing was applied", st.Path, err), a.undo(), a.end())
		}
	}
	return applied, a.end()
}

// chosen are the changes that are kept, with the new directories that lead to them.
func chosen(all []Change, keep func(Change) bool) (some []Change) {
	for i, c := range all {
		leads := c.Mode.IsDir() && (c.What == Added || c.What == Replaced) && slices.ContainsFunc(all[i+1:], func(o Change) bool {
			return strings.HasPrefix(o.Path, c.Path+"/") && keep(o)
		})
		if keep(c) || leads {
			some = append(some, c)
		}
	}
	return some
}

// unchanged makes sure that nobody has changed what a change is of.
//
// Security: by the time of the last change of an inode, which a program cannot set.
func (s *Set) unchanged(source *os.Root, c Change) error {
	switch {
	case c.What != Removed && c.Mode&^(fs.ModePerm|fs.ModeDir|fs.ModeSymlink|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0:
		return fmt.Errorf("%q is a %s, which is not applied", c.Path, c.Type())
	case c.What == Added:
		if _, err := source.Lstat(c.Path); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
			return errors.Join(&Conflict{c.Path}, err)
		}
		return nil
	}
	restored, err := s.restored()
	if err != nil {
		return err
	}
	return fs.WalkDir(source.FS(), c.Path, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return errors.Join(&Conflict{c.Path}, err)
		}
		info, err := source.Lstat(name)
		if err != nil {
			return errors.Join(&Conflict{name}, err)
		}
		if c.What == Changed && info.IsDir() {
			return fs.SkipDir // others may come and go in it
		}
		if now := stateOf(info); now.Changed >= s.Began.UnixNano() && restored[name] != now {
			return &Conflict{name}
		}
		return nil
	})
}

// A state is that of an inode, as far as nobody can set it back.
type state struct {
	Ino     uint64 `json:"ino"`
	Changed int64  `json:"changed"` // nanoseconds, of the inode
}

func stateOf(info fs.FileInfo) state {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return state{Changed: math.MaxInt64}
	}
	return state{st.Ino, st.Ctim.Nano()}
}

// restored is the state of what was changed by us since the session began, and put
// back: what has still that state was changed by nobody else.
func (s *Set) restored() (map[string]state, error) {
	text, err := os.ReadFile(s.restoredFile())
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]state{}, nil
	}
	all := map[string]state{}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	return all, err
}

func (s *Set) restoredFile() string { return path.Join(s.dir, "restored.json") }

// remember keeps the state of what was put back.
func (a *application) remember() error {
	all, err := a.set.restored()
	if err != nil {
		return err
	}
	for _, st := range a.steps {
		info, err := a.source.Lstat(st.Path)
		if err == nil && (st.Swap || st.Ino == 0) {
			all[st.Path] = stateOf(info)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(a.set.restoredFile(), text, 0o600)
}

// An application is the applying of some changes.
type application struct {
	set    *Set
	source *os.Root
	steps  []step
}

// stageName is the directory, in the source, where everything is made before it is
// put into its place: by a rename, which is why it lies there.
func (s *Set) stageName() string { return ".ambit-apply-" + s.Session }

// stage copies everything into the stage and writes the journal. Nothing of the
// source has changed then.
func (a *application) stage(some []Change) error {
	up, err := os.OpenRoot(a.set.upper())
	if err != nil {
		return err
	}
	defer up.Close() //nolint:errcheck // nothing was written
	dir := a.set.stageName()
	if err := a.source.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for i, c := range some {
		st := step{Path: c.Path, Number: i, Swap: c.What == Changed || c.What == Replaced}
		switch {
		case c.What == Removed:
		case c.What == Changed && c.Mode.IsDir():
			before, err := a.source.Lstat(c.Path)
			if err != nil {
				return err
			}
			st.Swap, st.Mode, st.Was, st.Now = false, true, before.Mode().Perm(), c.Mode.Perm()
		default:
			if st.Ino, err = a.copy(up, c, a.staged(i)); err != nil {
				return fmt.Errorf("copy %q: %w", c.Path, err)
			}
		}
		a.steps = append(a.steps, st)
	}
	text, err := json.Marshal(a.steps)
	if err != nil {
		return err
	}
	own, err := os.OpenRoot(a.set.dir)
	if err != nil {
		return err
	}
	defer own.Close() //nolint:errcheck // its file was synced
	return write(own, path.Base(a.set.journal()), 0o600, strings.NewReader(string(text)))
}

func (a *application) staged(number int) string {
	return path.Join(a.set.stageName(), strconv.Itoa(number))
}

// copy makes in the stage what a change puts into its place, and answers its inode.
//
// Security: the program's bits that give others its rights are left out; a link is
// made as a link, whatever it leads to.
func (a *application) copy(up *os.Root, c Change, to string) (uint64, error) {
	switch {
	case c.Mode.IsDir():
		if err := a.source.Mkdir(to, 0o700); err != nil {
			return 0, err
		}
		if err := a.source.Chmod(to, c.Mode.Perm()); err != nil {
			return 0, err
		}
	case c.Mode&fs.ModeSymlink != 0:
		if err := a.source.Symlink(c.Target, to); err != nil {
			return 0, err
		}
	default:
		f, err := up.Open(c.Path)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		if err := write(a.source, to, c.Mode.Perm(), f); err != nil {
			return 0, err
		}
	}
	info, err := a.source.Lstat(to)
	if err != nil {
		return 0, err
	}
	return stateOf(info).Ino, nil
}

func write(root *os.Root, name string, mode fs.FileMode, from io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, from); err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// do puts one thing into its place.
func (a *application) do(st step) error {
	switch {
	case st.Mode:
		return a.source.Chmod(st.Path, st.Now)
	case st.Ino == 0:
		return a.rename(st.Path, a.staged(st.Number), unix.RENAME_NOREPLACE)
	case st.Swap:
		return a.rename(a.staged(st.Number), st.Path, unix.RENAME_EXCHANGE)
	}
	return a.rename(a.staged(st.Number), st.Path, unix.RENAME_NOREPLACE)
}

// undo takes back every step that was done, the last first, and remembers what it
// has put back. It may be called again.
func (a *application) undo() error { return errors.Join(a.takeBack(), a.remember()) }

func (a *application) takeBack() (err error) {
	for _, st := range slices.Backward(a.steps) {
		at, errAt := a.source.Lstat(st.Path)
		_, errStaged := a.source.Lstat(a.staged(st.Number))
		switch {
		case st.Mode:
			err = errors.Join(err, a.source.Chmod(st.Path, st.Was))
		case st.Ino == 0 && errStaged == nil:
			err = errors.Join(err, a.rename(a.staged(st.Number), st.Path, unix.RENAME_NOREPLACE))
		case st.Ino == 0 || errAt != nil || stateOf(at).Ino != st.Ino: // it was not done
		case st.Swap:
			err = errors.Join(err, a.rename(a.staged(st.Number), st.Path, unix.RENAME_EXCHANGE))
		default:
			err = errors.Join(err, a.rename(st.Path, a.staged(st.Number), unix.RENAME_NOREPLACE))
		}
	}
	return err
}

// end removes the stage, with what was taken away. The journal goes first: from then
// on all of it was applied, or nothing.
func (a *application) end() error {
	if err := control(a.source, unix.Syncfs); err != nil {
		return fmt.Errorf("sync what was applied: %w", err)
	}
	if err := os.Remove(a.set.journal()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return a.source.RemoveAll(a.set.stageName())
}

// rename renames beneath the source, and follows no link.
func (a *application) rename(from, to string, flags uint) error {
	return a.beneath(path.Dir(from), func(fromDir int) error {
		return a.beneath(path.Dir(to), func(toDir int) error {
			return unix.Renameat2(fromDir, path.Base(from), toDir, path.Base(to), flags)
		})
	})
}

// beneath opens a directory of the source.
//
// Security: no link on the way is followed, so whatever the program made of a
// directory, what is renamed lies where its path says.
func (a *application) beneath(dir string, do func(fd int) error) error {
	return control(a.source, func(root int) error {
		fd, err := unix.Openat2(root, dir, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS})
		if err != nil {
			return err
		}
		defer unix.Close(fd) //nolint:errcheck // nothing was written
		return do(fd)
	})
}

// recover undoes an application that was interrupted.
func (s *Set) recover() error {
	source, err := s.source()
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // what was done is renames
	a := application{set: s, source: source}
	text, err := os.ReadFile(s.journal())
	switch {
	case errors.Is(err, fs.ErrNotExist): // nothing was done, or all of it
		return source.RemoveAll(s.stageName())
	case err != nil:
		return err
	case json.Unmarshal(text, &a.steps) != nil: // it was being written: nothing was done
		return a.end()
	}
	if err := a.undo(); err != nil {
		return fmt.Errorf("undo what was applied in part: %w", err)
	}
	return a.end()
}
