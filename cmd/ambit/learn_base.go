package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/learn"
)

// repositories and projects are what lies in the root of one: the first says
// how far a project goes, the second where there is no repository.
var (
	repositories = []string{".git", ".hg", ".svn", ".jj"}
	projects     = []string{"go.mod", "package.json", "pyproject.toml", "setup.py", "requirements.txt", "Cargo.toml", "pom.xml", "build.gradle",
		"build.gradle.kts", "CMakeLists.txt", "meson.build", "Makefile", "composer.json", "Gemfile", "mix.exs", "deno.json", manifest.File}
)

// projectOf returns the root of the project that a directory lies in: of its
// repository, else the nearest folder that says it is a project, else itself. A
// home, and what secrets lie in, is no project.
func projectOf(dir, home string) (string, bool) {
	for _, marks := range [][]string{repositories, projects} {
		for d := dir; d != "/" && !exposed(d, home); d = filepath.Dir(d) {
			for _, mark := range marks {
				if _, err := os.Lstat(filepath.Join(d, mark)); err == nil {
					return d, true
				}
			}
		}
	}
	return dir, !exposed(dir, home)
}

// exposed reports whether a directory is a home, lies above one, or holds places
// of secrets.
func exposed(dir, home string) bool {
	_, secret := capability.Sensitive(dir, home)
	_, above := capability.AboveSensitive(dir, home)
	return secret || above || dir == "/"
}

// readBase finds out where it is learned: a manifest in the pack's folder, and
// the project of the working directory, which it returns.
func (l *learner) readBase() (dir string, err error) {
	base, err := view.Base(who())
	if err != nil {
		return "", fmt.Errorf("read the base view: %w", err)
	}
	if dir, err = filepath.Abs("."); err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	dir = realPath(dir)
	l.base = learn.Base{Home: realPath(who().Home), Pack: l.out.pack}
	for _, d := range []string{dir, l.out.pack} {
		if root, ok := projectOf(d, l.base.Home); ok && d != "" && !slices.Contains(l.base.Roots, root) {
			l.base.Roots = append(l.base.Roots, root)
		}
	}
	for _, o := range base.Dirs {
		l.base.Shown = append(l.base.Shown, o.Path)
	}
	l.base.Hidden = base.Programs
	for _, f := range base.Files {
		l.base.Shown = append(l.base.Shown, f.Path)
	}
	return dir, nil
}

// realPath is a path without links, as far as there is something.
func realPath(p string) string {
	if real, err := filepath.EvalSymlinks(p); err == nil {
		return real
	}
	return p
}

// hostTree lists directories of the host.
type hostTree struct{}

func (hostTree) List(dir string) (all []learn.Entry, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		all = append(all, learn.Entry{Name: e.Name(), Dir: e.IsDir()})
	}
	return all, err
}

// special reports whether a path is neither a file nor a directory.
func special(p string) bool {
	fi, err := os.Lstat(p)
	return err != nil || fi.Mode()&(fs.ModeSocket|fs.ModeNamedPipe|fs.ModeDevice|fs.ModeIrregular) != 0
}

// gone reports whether there is nothing at a path any more.
func gone(p string) bool {
	_, err := os.Lstat(p)
	return errors.Is(err, fs.ErrNotExist)
}
