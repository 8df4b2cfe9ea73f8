package process_test

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
)

// names is the skeleton of a view with the home's own folder, a granted folder in
// it, a link, and a tmpfs.
func names() process.Names {
	return process.NewNames(enforce.Plan{Filter: enforce.Filter{HoldChanges: true, HoldLooks: true}, View: []enforce.Entry{
		{Op: enforce.OpLink, Path: "/bin", Source: "usr/bin"},
		{Op: enforce.OpDir, Path: "/home"}, {Op: enforce.OpDir, Path: "/home/u"},
		{Op: enforce.OpDir, Path: "/home/u/given"}, {Op: enforce.OpBind, Path: "/home/u/given", Source: "/home/u/given", Dir: true},
		{Op: enforce.OpDir, Path: "/tmp"}, {Op: enforce.OpTmpfs, Path: "/tmp", Dir: true}, {Op: enforce.OpFile, Path: "/tmp/f"},
		{Op: enforce.OpFile, Path: "/passwd", Content: []byte("x")},
	}})
}

// TestMissing: what has to be made before something can be mounted or linked, and
// what must not be.
func TestMissing(t *testing.T) {
	n := names()
	for path, want := range map[string][]string{
		"/home/u/given": nil, "/home/u/x": {"/home/u/x"}, "/home/u/a/b/c": {"/home/u/a", "/home/u/a/b", "/home/u/a/b/c"}, "/srv": {"/srv"},
	} {
		if got, err := n.Missing(path); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"/bin", "/bin/x", "/passwd/x"} {
		if got, err := n.Missing(path); err == nil {
			t.Errorf("%s: %q, want an error: something is in the way", path, got)
		}
	}
}

// TestOwn: what leads to a grant is the view's own for as long as it does; what
// leads to a link only is hidden as before.
func TestOwn(t *testing.T) {
	n := names()
	own := func(want bool, paths ...string) {
		t.Helper()
		for _, p := range paths {
			if n.Own(p) != want {
				t.Errorf("%s is the view's own: %v, want %v", p, !want, want)
			}
		}
	}
	own(true, "/", "/bin", "/home", "/home/u", "/passwd")
	own(false, "/home/u/given", "/tmp", "/tmp/f", "/home/u/a", "/srv")
	if err := n.Make("/home/u/a/b/f", unix.S_IFREG); err != nil {
		t.Fatal(err)
	}
	n.Mounted("/home/u/a/b/f")
	own(true, "/home/u/a", "/home/u/a/b")
	if err := n.Make("/home/u/a/l", unix.S_IFLNK); err != nil {
		t.Fatal(err)
	}
	n.Link("/home/u/a/l", "b/f")
	if err := n.Make("/home/u/links/l", unix.S_IFLNK); err != nil {
		t.Fatal(err)
	}
	n.Link("/home/u/links/l", "/x")
	own(true, "/home/u/a/l", "/home/u/links/l")
	own(false, "/home/u/links")

	useless := n.Unmounted("/home/u/a/b/f", "/home/u/given")
	slices.Sort(useless)
	if want := []string{"/home/u/a/b", "/home/u/a/b/f"}; !slices.Equal(useless, want) {
		t.Errorf("useless are %q, want %q", useless, want)
	}
	own(false, "/home/u/a", "/home/u/a/b") // /home/u/a stays for the link, and is hidden
	own(true, "/home/u", "/home/u/a/l")
	if useless := n.Unmounted("/home/u/given"); !slices.Contains(useless, "/home/u/given") || slices.Contains(useless, "/home/u") {
		t.Errorf("useless are %q, want what was granted at the start, and not the home", useless)
	}
}

// TestNoSkeleton: a trap has the host's names, and a view that does not ask has
// none to hide.
func TestNoSkeleton(t *testing.T) {
	trapped := enforce.Plan{Filter: enforce.Filter{HoldChanges: true}, View: []enforce.Entry{{Op: enforce.OpTrap, Path: "/"}, {Op: enforce.OpDir, Path: "/home"}}}
	for _, p := range []enforce.Plan{{}, trapped} {
		if n := process.NewNames(p); n.Own("/home") || n.Own("/") {
			t.Errorf("%+v has names", p)
		}
	}
}

func TestSplit(t *testing.T) {
	for path, want := range map[string][2]string{
		"/a/b": {"/a/", "b"}, "/a/../b/": {"/a/../", "b"}, "/a/l/..": {"/a/l/", ".."}, "/a": {"/", "a"}, "/": {"", ""}, "//": {"", ""},
	} {
		if dir, name := process.Split(path); [2]string{dir, name} != want {
			t.Errorf("%s: %q, want %q", path, [2]string{dir, name}, want)
		}
	}
}

// TestWants states by hand for what held calls want their objects.
func TestWants(t *testing.T) {
	const read, write = enforce.TouchRead, enforce.TouchWrite
	for _, c := range []struct {
		call         int
		args         [6]uint64
		kind         enforce.TouchKind
		follow, anew bool
	}{
		{process.CallOpen, [6]uint64{0, unix.O_RDONLY}, read, true, false},
		{unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_RDWR}, write, true, false},
		{unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_RDONLY | unix.O_TRUNC}, write, true, false},
		{unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW}, read, false, false},
		{unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_PATH | unix.O_RDWR}, read, true, false},
		{unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_TMPFILE | unix.O_RDWR}, write, true, false},
		{unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_WRONLY | unix.O_CREAT}, write, true, false},
		{unix.SYS_OPENAT, [6]uint64{0, 0, unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL}, write, false, true},
		{process.CallMkdir, [6]uint64{}, write, true, true},
		{unix.SYS_RENAMEAT2, [6]uint64{}, write, true, false},
		{process.CallStat, [6]uint64{}, read, true, false},
		{process.CallLstat, [6]uint64{}, read, false, false},
		{unix.SYS_NEWFSTATAT, [6]uint64{0, 0, 0, unix.AT_SYMLINK_NOFOLLOW}, read, false, false},
		{unix.SYS_STATX, [6]uint64{0, 0, unix.AT_SYMLINK_NOFOLLOW}, read, false, false},
		{process.CallReadlink, [6]uint64{}, read, false, false},
		{unix.SYS_FACCESSAT, [6]uint64{0, 0, 0, unix.AT_SYMLINK_NOFOLLOW}, read, true, false}, // the kernel's has no flags
		{unix.SYS_UTIMENSAT, [6]uint64{0, 0, 0, unix.AT_SYMLINK_NOFOLLOW}, write, false, false},
		{unix.SYS_FCHOWNAT, [6]uint64{0, 0, 0, 0, unix.AT_SYMLINK_NOFOLLOW}, write, false, false},
		{process.CallLchown, [6]uint64{}, write, false, false},
	} {
		if kind, follow, anew := process.Wants(c.call, c.args); kind != c.kind || follow != c.follow || anew != c.anew {
			t.Errorf("%d %#x: %s, follows %v, anew %v", c.call, c.args, kind, follow, anew)
		}
	}
}
