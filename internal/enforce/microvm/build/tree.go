package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/erofs/go-erofs"

	"ambit.dev/ambit/internal/enforce/view"
)

// systems are the directories of programs that an image may show.
var systems = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// whole are the settings that an image has as the host has them, whatever packages list
// of them: each machine would get a copy of what it lacks. What else of /etc a program
// sees is in its plan.
var whole = sync.OnceValue(view.Mounted)

// tops is all of the host that an image may show; all else is no part of it.
var tops = sync.OnceValue(func() []string { return slices.Concat(systems, whole()) })

// tree are the host's objects that go into an image, by their path.
type tree map[string]fs.FileInfo

// collect finds the objects at the listed paths. What a package lists and the host
// does not have (documents that were left out) stays out; so does what only some
// users may read, and what is in none of tops.
func collect(files []string) (tree, error) {
	t := tree{}
	for _, p := range files {
		if err := t.add(p); err != nil {
			return nil, err
		}
	}
	for _, d := range whole() {
		if err := t.under(d); err != nil {
			return nil, err
		}
	}
	for p, fi := range t { // compiled modules of Python, which no package lists
		if cache := filepath.Join(p, "__pycache__"); fi.IsDir() && t[cache] == nil && strings.Contains(p, "python3") {
			if err := t.under(cache); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

func (t tree) under(dir string) error {
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return t.add(p)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// add adds the object at p, under the name that it has without links on the way,
// and the directories above it.
func (t tree) add(p string) error {
	dir, err := filepath.EvalSymlinks(filepath.Dir(p))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p = filepath.Join(dir, filepath.Base(p))
	fi, err := os.Lstat(p)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && !shown(p, fi):
		return nil
	case err != nil:
		return err
	}
	t[p] = fi
	for d := filepath.Dir(p); d != "/" && t[d] == nil; d = filepath.Dir(d) {
		if t[d], err = os.Lstat(d); err != nil {
			return err
		}
	}
	return nil
}

func shown(p string, fi fs.FileInfo) bool {
	if !slices.ContainsFunc(tops(), func(top string) bool { return p == top || strings.HasPrefix(p, top+"/") }) { //nolint:forbidigo // the separator is part of the prefix
		return false
	}
	if fi.IsDir() || fi.Mode().Type() == fs.ModeSymlink {
		return true
	}
	return fi.Mode().IsRegular() && fi.Mode().Perm()&0o004 != 0
}

// provides are those of tops that the image has, and not as links.
func (t tree) provides() (all []string) {
	for _, top := range tops() {
		if fi := t[top]; fi != nil && fi.Mode().Type() != fs.ModeSymlink {
			all = append(all, top)
		}
	}
	return all
}

// names are the paths, directories before what is in them.
func (t tree) names() []string { return slices.Sorted(maps.Keys(t)) }

// write makes a read-only file system (erofs) of the objects. Everything belongs
// to root, nothing is setuid, and times are the host's: the same host makes the
// same image.
func (t tree) write(ctx context.Context, out *os.File, tell func(done, all int)) error {
	w := erofs.Create(out, erofs.WithBuildTime(0, 0), erofs.WithTempDir(filepath.Dir(out.Name())))
	names := t.names()
	for i, p := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := put(w, p, t[p]); err != nil {
			return fmt.Errorf("add %q to the image: %w", p, err)
		}
		tell(i+1, len(names))
	}
	return w.Close()
}

func put(w *erofs.Writer, p string, fi fs.FileInfo) error {
	at := strings.TrimPrefix(path.Clean(p), "/")
	switch fi.Mode().Type() {
	case fs.ModeSymlink:
		target, err := os.Readlink(p)
		if err != nil {
			return err
		}
		return w.Symlink(target, at)
	case fs.ModeDir:
		if err := w.Mkdir(at, fi.Mode().Perm()); err != nil {
			return err
		}
	default:
		if err := copyInto(w, at, p); err != nil {
			return err
		}
	}
	if err := w.Chmod(at, fi.Mode().Perm()); err != nil {
		return err
	}
	sec := fi.ModTime().Truncate(time.Second)
	return w.Chtimes(at, sec, sec)
}

func copyInto(w *erofs.Writer, at, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := w.Create(at)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Close())
}
