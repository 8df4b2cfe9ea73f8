package view_test

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce/view"
)

// glob is a pattern beneath a folder, as a capability has it.
func glob(t *testing.T, root, rest string) view.Pattern {
	t.Helper()
	c, err := capability.Parse("fs.read:" + root + rest)
	must(t, err)
	p, ok := c.Pattern()
	if !ok {
		t.Fatalf("%s has no pattern", c.Display())
	}
	return p
}

// expand is Expand at a folder; the paths are answered without it.
func expand(t *testing.T, p view.Pattern, at string) (found []string) {
	t.Helper()
	objects, err := view.Expand(p, at)
	must(t, err)
	for _, o := range objects {
		is(t, o, o.Path)
		found = append(found, strings.TrimPrefix(strings.TrimPrefix(o.Path, at), "/"))
	}
	slices.Sort(found)
	return found
}

func TestExpand(t *testing.T) {
	root := folder(t)
	for _, f := range []string{"a.pdf", "b.txt", "d/c.pdf", "d/e/f.pdf", "d.pdf/inside.pdf", "new\nline.pdf", "\xff.pdf", ".hidden.pdf"} {
		write(t, root+"/"+f, "")
	}
	outside := folder(t)
	write(t, outside+"/secret.pdf", "")
	must(t, os.Symlink(outside+"/secret.pdf", root+"/link.pdf"))
	must(t, os.Symlink(outside, root+"/linked"))
	must(t, os.Symlink("a.pdf", root+"/d/to a.pdf"))
	for _, tc := range []struct {
		pattern string
		want    []string
	}{
		{"/*.pdf", []string{".hidden.pdf", "a.pdf", "d.pdf", "new\nline.pdf", "\xff.pdf"}},
		{"/*.txt", []string{"b.txt"}},
		// What lies beneath a match comes with it.
		{"/**/*.pdf", []string{".hidden.pdf", "a.pdf", "d.pdf", "d/c.pdf", "d/e/f.pdf", "new\nline.pdf", "\xff.pdf"}},
		{"/*/c.pdf", []string{"d/c.pdf"}},
		{"/linked/*", nil},
		{"/d/**/f.pdf", []string{"d/e/f.pdf"}},
		{"/*.none", nil},
	} {
		if got := expand(t, glob(t, root, tc.pattern), root); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.pattern, got, tc.want)
		}
	}
}

// TestExpandAt: where it begins may be missing, a file, a match, or behind
// links, which are then shown with every match.
func TestExpandAt(t *testing.T) {
	root := folder(t)
	write(t, root+"/real/a.pdf", "")
	must(t, os.Symlink("real", root+"/link"))
	if got := expand(t, glob(t, root, "/none/*"), root+"/none"); got != nil {
		t.Errorf("a missing folder has %q", got)
	}
	if got := expand(t, glob(t, root, "/*.pdf"), root+"/real/a.pdf"); got != nil {
		t.Errorf("a file that does not match has %q", got)
	}
	if got := expand(t, glob(t, root, "/real/*.pdf"), root+"/real/a.pdf"); !slices.Equal(got, []string{""}) {
		t.Errorf("a match has %q", got)
	}
	found, err := view.Expand(glob(t, root, "/link/*.pdf"), root+"/link")
	must(t, err)
	if len(found) != 1 {
		t.Fatalf("behind a link: %+v", found)
	}
	is(t, found[0], root+"/real/a.pdf")
	if len(found[0].Links) != 1 || found[0].Links[0].Path != root+"/link" {
		t.Errorf("links %q", found[0].Links)
	}
}

// TestExpandUnreadable: what the user cannot list is not granted, and keeps
// nothing else from being found.
func TestExpandUnreadable(t *testing.T) {
	root := folder(t)
	write(t, root+"/a/x.pdf", "")
	write(t, root+"/closed/x.pdf", "")
	write(t, root+"/z/x.pdf", "")
	must(t, os.Chmod(root+"/closed", 0))
	t.Cleanup(func() { _ = os.Chmod(root+"/closed", 0o700) })
	asUser(t, func() {
		objects, err := view.Expand(glob(t, root, "/*/*.pdf"), root)
		if err != nil {
			t.Error(err)
		}
		var found []string
		for _, o := range objects {
			found = append(found, o.Path)
		}
		if want := []string{root + "/a/x.pdf", root + "/z/x.pdf"}; !slices.Equal(found, want) {
			t.Errorf("got %q, want %q", found, want)
		}
	})
}

// TestExpandBounds: a glob over too much is refused, with what to do instead.
func TestExpandBounds(t *testing.T) {
	fill := func(t *testing.T, root string, from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			must(t, unix.Mknod(path.Join(root, fmt.Sprint(i)), unix.S_IFREG|0o600, 0))
		}
	}
	refused := func(t *testing.T, err error, bound string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "more than "+bound) || !strings.Contains(err.Error(), "grant the directory instead") {
			t.Errorf("got %v", err)
		}
	}
	t.Run("matches", func(t *testing.T) {
		root := folder(t)
		fill(t, root, 0, 1000)
		if got := expand(t, glob(t, root, "/*"), root); len(got) != 1000 {
			t.Errorf("%d matches", len(got))
		}
		fill(t, root, 1000, 1001)
		_, err := view.Expand(glob(t, root, "/*"), root)
		refused(t, err, "1000 matches")
	})
	t.Run("visits", func(t *testing.T) {
		root := t.TempDir()
		if dir, err := os.MkdirTemp("/dev/shm", "ambit-test-"); err == nil { //nolint:usetesting // in memory files are made ten times as fast
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			root = dir
		}
		for _, d := range []string{"a", "b", "c", "d"} {
			must(t, os.Mkdir(path.Join(root, d), 0o700))
			fill(t, path.Join(root, d), 0, 100_000/4-1)
		}
		if got := expand(t, glob(t, root, "/**/*.none"), root); got != nil {
			t.Errorf("got %q", got)
		}
		fill(t, root, 0, 1)
		_, err := view.Expand(glob(t, root, "/**/*.none"), root)
		refused(t, err, "100000 files")
	})
}

// TestExpandWhileReplaced: a directory that becomes a link while it is looked
// through leads nowhere else.
func TestExpandWhileReplaced(t *testing.T) {
	root, outside := folder(t), folder(t)
	write(t, outside+"/f", "secret")
	write(t, root+"/dir/f", "")
	must(t, os.Symlink(outside, root+"/link"))
	exchange(t, root+"/dir", root+"/link")
	pattern, found := glob(t, root, "/*/f"), 0
	for range 5000 {
		objects, err := view.Expand(pattern, root)
		if err != nil && !errors.Is(err, unix.ELOOP) {
			t.Fatal(err)
		}
		for _, o := range objects {
			found++
			if !under(o.Path, root) {
				t.Fatalf("found %q", o.Path)
			}
		}
	}
	if found == 0 {
		t.Error("nothing was found")
	}
}
