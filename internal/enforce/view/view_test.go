package view_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// TestResolve: where a path leads, and by which links in which order. Paths
// are beneath one folder; a target that begins with "@" is absolute.
func TestResolve(t *testing.T) {
	links := func(pairs ...string) (ls []enforce.Link) {
		for i := 0; i < len(pairs); i += 2 {
			ls = append(ls, enforce.Link{Path: pairs[i], Target: pairs[i+1]})
		}
		return ls
	}
	for _, tc := range []struct {
		name  string
		links []enforce.Link // beside the file a/b/file
		path  string
		want  string
		met   []enforce.Link
		err   error
	}{
		{name: "file", path: "a/b/file", want: "a/b/file"},
		{name: "directory", path: "a/b", want: "a/b"},
		{name: "the folder", path: "", want: ""},
		{name: "spelled strangely", path: "a//./b/../b/file/", want: "a/b/file"},
		{name: "relative link", links: links("l", "a/b/file"), path: "l", want: "a/b/file", met: links("l", "a/b/file")},
		{name: "absolute link", links: links("l", "@a/b/file"), path: "l", want: "a/b/file", met: links("l", "@a/b/file")},
		{name: "link on the way", links: links("l", "a"), path: "l/b/file", want: "a/b/file", met: links("l", "a")},
		{name: "link deep in the tree", links: links("a/b/l", "file"), path: "a/b/l", want: "a/b/file", met: links("a/b/l", "file")},
		{name: "two links on the way", links: links("l", "a", "a/m", "b"), path: "l/m/file", want: "a/b/file", met: links("l", "a", "a/m", "b")},
		{name: "chain", links: links("l", "m", "m", "@n", "n", "a/b"), path: "l/file", want: "a/b/file", met: links("l", "m", "m", "@n", "n", "a/b")},
		{name: "the same link twice", links: links("a/up", "../a"), path: "a/up/up/b", want: "a/b", met: links("a/up", "../a", "a/up", "../a")},
		{name: "target with ..", links: links("a/b/l", "../../a/b/file"), path: "a/b/l", want: "a/b/file", met: links("a/b/l", "../../a/b/file")},
		{name: "target with .. behind a link", links: links("d", "a/b", "l", "d/../b/file"), path: "l", want: "a/b/file",
			met: links("l", "d/../b/file", "d", "a/b")}, // the kernel's ..: of what d leads to
		{name: "target is .", links: links("a/here", "."), path: "a/here/b/file", want: "a/b/file", met: links("a/here", ".")},
		{name: "target with slashes", links: links("l", "a///b/"), path: "l/file", want: "a/b/file", met: links("l", "a///b/")},
		{name: "above the root", links: links("l", "@../../../../../../../../../../.."), path: "l", err: nil, want: "/", met: links("l", "@../../../../../../../../../../..")},
		{name: "non-UTF-8", links: links("\xff\xfe", "a/b"), path: "\xff\xfe/file", want: "a/b/file", met: links("\xff\xfe", "a/b")},
		{name: "newline", links: links("a\nb", "a/b"), path: "a\nb/file", want: "a/b/file", met: links("a\nb", "a/b")},
		{name: "missing", path: "a/none", err: fs.ErrNotExist},
		{name: "missing above", path: "none/file", err: fs.ErrNotExist},
		{name: "dangling", links: links("l", "none"), path: "l", err: fs.ErrNotExist},
		{name: "beneath a file", path: "a/b/file/x", err: unix.ENOTDIR},
		{name: "loop of one", links: links("l", "l"), path: "l", err: unix.ELOOP},
		{name: "loop of two", links: links("l", "m", "m", "l/x"), path: "l", err: unix.ELOOP},
		{name: "NUL", path: "a\x00b", err: unix.EINVAL},
		{name: "long name", path: strings.Repeat("n", 256), err: unix.ENAMETOOLONG},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := folder(t)
			full := func(p string) string {
				if p == "/" {
					return p
				}
				return path.Join(root, p)
			}
			target := func(s string) string {
				if rest, ok := strings.CutPrefix(s, "@"); ok {
					return root + "/" + rest
				}
				return s
			}
			write(t, full("a/b/file"), "x")
			for _, l := range tc.links {
				must(t, os.Symlink(target(l.Target), full(l.Path)))
			}
			o, err := view.Resolve(root + "/" + tc.path)
			if tc.err != nil {
				if !errors.Is(err, tc.err) {
					t.Fatalf("got %+v, %v, want %v", o, err, tc.err)
				}
				return
			}
			must(t, err)
			is(t, o, full(tc.want))
			var met []enforce.Link
			for _, l := range tc.met {
				met = append(met, enforce.Link{Path: full(l.Path), Target: target(l.Target)})
			}
			if !slices.Equal(o.Links, met) {
				t.Errorf("links %q, want %q", o.Links, met)
			}
		})
	}
}

// TestNames: every spelling that could be given another meaning, also of what
// is not there yet.
func TestNames(t *testing.T) {
	for _, tc := range []struct {
		name  string
		links []enforce.Link
		path  string
		want  []string
	}{
		{name: "no link", path: "a/b/file", want: []string{"a/b/file"}},
		{name: "not there yet", path: "a/none/x", want: []string{"a/none/x"}},
		{name: "link at the end", links: []enforce.Link{{Path: "l", Target: "a/b/file"}}, path: "l", want: []string{"a/b/file", "l"}},
		{name: "link on the way", links: []enforce.Link{{Path: "l", Target: "a"}}, path: "l/b/file", want: []string{"a/b/file", "l/b/file"}},
		{name: "behind a link, not there yet", links: []enforce.Link{{Path: "l", Target: "a"}}, path: "l/none/x", want: []string{"a/none/x", "l/none/x"}},
		{name: "link behind a link", links: []enforce.Link{{Path: "l", Target: "a"}, {Path: "a/m", Target: "b/file"}}, path: "l/m", want: []string{"a/b/file", "a/m", "l/m"}},
		{name: "dangling", links: []enforce.Link{{Path: "l", Target: "a/none"}}, path: "l", want: []string{"a/none", "l"}},
		{name: "target with .. behind a link", links: []enforce.Link{{Path: "d", Target: "a/b"}, {Path: "l", Target: "d/../b/file"}}, path: "l", want: []string{"a/b/file", "d", "l"}},
	} {
		root := folder(t)
		write(t, path.Join(root, "a/b/file"), "x")
		for _, l := range tc.links {
			must(t, os.Symlink(l.Target, path.Join(root, l.Path)))
		}
		for i := range tc.want {
			tc.want[i] = path.Join(root, tc.want[i])
		}
		got, err := view.Names(path.Join(root, tc.path))
		if err != nil || !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %q, %v, want %q", tc.name, got, err, tc.want)
		}
	}
	root := folder(t)
	must(t, os.Symlink("l", root+"/l"))
	if got, err := view.Names(root + "/l"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a loop: got %q, %v", got, err)
	}
}

// TestResolveRefusesRelative paths: they would depend on who asks.
func TestResolveRefusesRelative(t *testing.T) {
	for _, p := range []string{"", ".", "a", "../a"} {
		if o, err := view.Resolve(p); err == nil {
			t.Errorf("Resolve(%q) = %+v", p, o)
		}
	}
}

// TestResolveBounds: as many links as the kernel follows, and paths as long as
// it takes.
func TestResolveBounds(t *testing.T) {
	root := folder(t)
	write(t, root+"/0", "")
	for i := range 41 {
		must(t, os.Symlink(strconv.Itoa(i), root+"/"+strconv.Itoa(i+1)))
	}
	o, err := view.Resolve(root + "/40")
	must(t, err)
	is(t, o, root+"/0")
	if len(o.Links) != 40 {
		t.Errorf("%d links", len(o.Links))
	}
	if _, err := view.Resolve(root + "/41"); !errors.Is(err, unix.ELOOP) {
		t.Errorf("41 links: %v", err)
	}

	deep := root
	for len(deep) < 4095-201 {
		deep += "/" + strings.Repeat("d", 200-1)
	}
	must(t, os.MkdirAll(deep, 0o755))
	longest := write(t, deep+"/"+strings.Repeat("f", 4095-len(deep)-1), "x")
	if o, err = view.Resolve(longest); err != nil {
		t.Fatal(err)
	}
	is(t, o, longest)
	if _, err := view.Resolve(longest + "f"); !errors.Is(err, unix.ENAMETOOLONG) {
		t.Errorf("4096 bytes: %v", err)
	}
}

// TestResolveKinds: whatever lies at a path is found without being opened. The
// kernel's own links are read as text.
func TestResolveKinds(t *testing.T) {
	root := folder(t)
	must(t, unix.Mkfifo(root+"/fifo", 0o600))
	l, err := net.Listen("unix", root+"/socket")
	must(t, err)
	defer l.Close()
	write(t, root+"/file", "")
	must(t, os.Link(root+"/file", root+"/other name"))
	for _, p := range []string{root + "/fifo", root + "/socket", root + "/other name", "/dev/null", "/"} {
		o, err := view.Resolve(p)
		must(t, err)
		is(t, o, p)
	}
	exe, err := os.Executable()
	must(t, err)
	if o, err := view.Resolve("/proc/self/exe"); err != nil || o.Path != exe {
		t.Errorf("/proc/self/exe is %+v, %v, want %q", o, err, exe)
	}
	r, w, err := os.Pipe()
	must(t, err)
	defer r.Close()
	defer w.Close()
	if o, err := view.Resolve("/proc/self/fd/" + strconv.Itoa(int(r.Fd()))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pipe by its descriptor: %+v, %v", o, err)
	}
}

// TestResolveWhileReplaced: somebody exchanges a directory and a link in a
// loop. Whatever is answered, the path has no link in it and the device and
// inode are those of the object that lies there.
func TestResolveWhileReplaced(t *testing.T) {
	root := folder(t)
	write(t, root+"/dir/f", "the directory's")
	write(t, root+"/secret/f", "what the link leads to")
	must(t, os.Symlink("secret", root+"/link"))
	inode := func(p string) uint64 {
		var st unix.Stat_t
		must(t, unix.Lstat(p, &st))
		return st.Ino
	}
	want := map[string]uint64{root + "/dir/f": inode(root + "/dir/f"), root + "/secret/f": inode(root + "/secret/f")}
	exchange(t, root+"/dir", root+"/link")
	seen := map[string]int{}
	for range 20_000 {
		o, err := view.Resolve(root + "/dir/f")
		if err != nil {
			seen["refused"]++ // it became a link between walk and open
			if !errors.Is(err, unix.ELOOP) {
				t.Errorf("got %v", err)
			}
			continue
		}
		seen[filepath.Base(filepath.Dir(o.Path))]++
		if want[o.Path] != o.Ino {
			t.Fatalf("%q has inode %d, want %d", o.Path, o.Ino, want[o.Path])
		}
		if len(o.Links) > 1 || (len(o.Links) == 1) != (o.Path == root+"/secret/f") {
			t.Fatalf("%q by links %q", o.Path, o.Links)
		}
	}
	if seen["dir"] == 0 || seen["secret"] == 0 {
		t.Errorf("the loop showed only %v", seen)
	}
	t.Log(seen)
}
