package enforcetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// A Person answers touches by a function, and remembers what was put.
type Person struct {
	Answer func(context.Context, enforce.Touch) enforce.Answer

	mu     sync.Mutex
	asked  []enforce.Touch // guarded by mu
	failed []error         // guarded by mu
}

var _ enforce.Asker = (*Person)(nil)

// Touched answers one touch.
func (p *Person) Touched(ctx context.Context, t enforce.Touch) enforce.Answer {
	p.mu.Lock()
	p.asked = append(p.asked, t)
	p.mu.Unlock()
	return p.Answer(ctx, t)
}

// NotShown remembers why something that was answered is not there.
func (p *Person) NotShown(_ context.Context, _ enforce.Touch, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = append(p.failed, cause)
}

// Put are kind and path of what was put, in order.
func (p *Person) Put() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.asked {
		all = append(all, string(t.Kind)+" "+t.Path)
	}
	return all
}

// Failed are the causes of what was not shown.
func (p *Person) Failed() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.failed)
}

// Bind is a grant of exactly what was touched, to be read.
func Bind(t enforce.Touch) enforce.Entry {
	return enforce.Entry{Op: enforce.OpBind, Path: t.Path, Source: t.Path, Dir: t.Dir, Dev: t.Dev, Ino: t.Ino}
}

// Wide is a grant of what was touched, with the right that was wanted.
func Wide(t enforce.Touch) enforce.Entry {
	e := Bind(t)
	e.Write, e.Exec = t.Kind == enforce.TouchWrite, t.Kind == enforce.TouchRun
	return e
}

// Yes lets everything be read, No nothing, and AsWanted whatever is wanted.
func Yes(_ context.Context, t enforce.Touch) enforce.Answer { return shows(Bind(t)) }

// No is the opposite of Yes.
func No(context.Context, enforce.Touch) enforce.Answer { return enforce.Answer{} }

// AsWanted grants each touch what it wants.
func AsWanted(_ context.Context, t enforce.Touch) enforce.Answer { return shows(Wide(t)) }

// Whole grants the folder that was touched, or that a file lies in, as it was wanted.
func Whole(t testing.TB) func(context.Context, enforce.Touch) enforce.Answer {
	return func(_ context.Context, touch enforce.Touch) enforce.Answer {
		e := Wide(touch)
		if !touch.Dir {
			exec := e.Exec
			e = entry(t, filepath.Dir(touch.Path), e.Write)
			e.Exec = exec
		}
		return shows(e)
	}
}

func shows(e enforce.Entry) enforce.Answer {
	return enforce.Answer{Allow: true, Show: []enforce.Entry{e}}
}

// Concealed is a folder of the host that a view which asks has not: file, link to it, out,
// which leads elsewhere, and sub with deep in it.
func Concealed(t testing.TB) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	if rel, err := filepath.Rel("/tmp", home); err == nil && filepath.IsLocal(rel) {
		t.Skip("requires: a home that does not lie in /tmp, where nothing of the host is hidden")
	}
	dir, err := os.MkdirTemp(home, "ambit-asking-") //nolint:usetesting // t.TempDir lies in /tmp, which every view has of its own
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := errors.Join(
		os.WriteFile(dir+"/file", []byte("hidden\n"), 0o644), os.Mkdir(dir+"/sub", 0o755),
		os.WriteFile(dir+"/sub/deep", []byte("deep\n"), 0o644), os.Symlink("file", dir+"/link"), os.Symlink("/etc/shadow", dir+"/out"),
	); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Unchanged fails if a program has changed a Concealed folder, which has so many names.
func Unchanged(t *testing.T, dir string, names int) {
	t.Helper()
	text, err := os.ReadFile(dir + "/file")
	list, e := os.ReadDir(dir)
	info, x := os.Stat(dir + "/file")
	if err := errors.Join(err, e, x); err != nil || string(text) != "hidden\n" || len(list) != names || info.Mode() != 0o644 {
		t.Errorf("the host's folder was changed: %q %v %v %v", text, list, info, err)
	}
}

// Content is what the host has at a path.
func Content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// Program makes a program of a folder.
func Program(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte(text), 0o755), os.Chmod(path, 0o755)); err != nil {
		t.Fatal(err)
	}
}
