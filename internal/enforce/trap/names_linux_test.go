package trap_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/trap"
)

// A record is what a Touch was asked. The race detector does not see that the
// client's end comes after its touches.
type record struct {
	mu  sync.Mutex
	all []trap.Touched // guarded by mu
}

func (r *record) add(o trap.Touched) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, o)
}

// refuse is a Touch that says no.
func (r *record) refuse(_ context.Context, o trap.Touched) unix.Errno {
	r.add(o)
	return unix.EACCES
}

// take returns what was asked since it was taken last.
func (r *record) take() []trap.Touched {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// want compares what was asked: kinds and last names.
func (r *record) want(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, o := range r.take() {
		got = append(got, fmt.Sprintf("%v %s", o.Kind, filepath.Base(o.Path)))
	}
	wantLines(t, got, want...)
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestSkeleton has the view's own names answer without a question.
func TestSkeleton(t *testing.T) {
	long := strings.Repeat("0123456789", 30_000)
	var asked record
	v := newView(t, trap.Config{Touch: asked.refuse, Names: []trap.Name{
		{Path: "/own", Dir: true},
		{Path: "/own/file", Content: []byte("text"), Mode: 0o640},
		{Path: "/own/long", Content: []byte(long)},
		{Path: "/own/link", Link: "file"},
		{Path: "/own/empty"},
		{Path: "/own/private", Dir: true, Mode: 0o700},
		{Path: "/deep/er/than/given", Content: []byte("x")},
	}})
	wantLines(t, v.try(
		"read", "/own/file", "read", "/own/link", "link", "/own/link", "read", "/own/empty", "list", "/own",
		"stat", "/own/file", "lstat", "/own/link", "stat", "/own", "stat", "/own/private", "stat", "/own/long",
		"access", "/own/file", "writable", "/own", "chdir", "/own", "list", "/deep/er", "read", "/deep/er/than/given",
		"stat", "/own/absent", "getxattr", "/own/file", "statfs", "/own", "list", "/own/absent",
	),
		"text", "text", "file", "", "file long link empty private",
		"100640 4", "120777 4", "40755 0", "40700 0", "100644 300000",
		"ok", "EROFS", "ok", "than", "x",
		"ENOENT", "ENOTSUP", "0 0 255", "ENOENT",
	)
	if got := v.try("read", "/own/long"); got[0] != long {
		t.Errorf("a long file is read as %d bytes, want %d", len(got[0]), len(long))
	}
	asked.want(t)
}

// TestChanges refuses every change: in what is hidden EACCES, in the skeleton
// EROFS. Where the kernel looks before it changes that is a touch of its own.
func TestChanges(t *testing.T) {
	var asked record
	v := newView(t, trap.Config{Touch: asked.refuse, Names: []trap.Name{
		{Path: "/own", Dir: true}, {Path: "/own/file"}, {Path: "/own/dir", Dir: true},
	}})
	must(os.WriteFile(v.host+"/file", nil, 0o644))
	must(os.Mkdir(v.host+"/dir", 0o755))
	for _, in := range []struct{ dir, want string }{{"/own", "EROFS"}, {v.host, "EACCES"}} {
		for _, do := range [][2]string{
			{"create", "/new"}, {"mkdir", "/new"}, {"symlink", "/new"}, {"mknod", "/new"}, {"hardlink", "/file"}, {"unlink", "/file"},
			{"rmdir", "/dir"}, {"rename", "/file"}, {"chmod", "/file"}, {"chown", "/file"}, {"truncate", "/file"}, {"utimes", "/file"},
			{"setxattr", "/file"}, {"write", "/file"}, {"chmod", ""},
		} {
			if got := v.try(do[0], in.dir+do[1])[0]; got != in.want {
				t.Errorf("%s %s%s: %s, want %s", do[0], in.dir, do[1], got, in.want)
			}
		}
	}
	asked.want(t, "write file")
}

// TestQuiet has quiet names not be there, whatever the host has.
func TestQuiet(t *testing.T) {
	var asked record
	config := trap.Config{Touch: asked.refuse, Quiet: []string{"/usr/share"}, Names: []trap.Name{{Path: "/usr/share/own", Dir: true}}}
	v := newView(t, config)
	wantLines(t, v.try("stat", "/usr/share/own", "stat", "/usr/share/doc", "list", "/usr/share", "stat", "/usr/lib"),
		"40755 0", "ENOENT", "own", "EACCES")
	asked.want(t, "look lib")
}

// TestHidden tells of a hidden name that it is there and of what type, and asks
// for all else. Pipes, sockets and devices are told as files: the kernel would
// open those of a trap without a question.
func TestHidden(t *testing.T) {
	var asked record
	v := newView(t, trap.Config{Touch: asked.refuse})
	must(os.WriteFile(v.host+"/file", []byte("secret"), 0o600))
	must(os.Link(v.host+"/file", v.host+"/second"))
	must(os.Mkdir(v.host+"/dir", 0o700))
	must(os.Symlink("file", v.host+"/link"))
	must(unix.Mkfifo(v.host+"/pipe", 0o666))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: v.host + "/sock"})
	must(err)
	defer l.Close()
	wantLines(t, v.try("cached", v.host+"/file", "cached", v.host+"/dir", "cached", v.host+"/pipe", "cached", v.host+"/sock",
		"link", v.host+"/link", "lstat", v.host+"/link", "stat", v.host+"/absent", "getxattr", v.host+"/file", "opath", v.host+"/file"),
		"100644 size 0 links 1 blocks 0 time 0", "40755 size 0 links 1 blocks 0 time 0",
		"100644 size 0 links 1 blocks 0 time 0", "100644 size 0 links 1 blocks 0 time 0",
		"file", "120777 4", "ENOENT", "ENOTSUP", "ok")
	asked.want(t)
	wantLines(t, v.try("stat", v.host+"/file", "stat", v.host+"/link", "read", v.host+"/pipe", "write", v.host+"/sock",
		"list", v.host+"/dir", "chdir", v.host+"/dir", "access", v.host+"/file", "stat", v.host+"/dir/absent", "run", v.host+"/file"),
		"EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "EACCES", "ENOENT", "EACCES")
	asked.want(t, "look file", "look file", "read pipe", "write sock", "list dir", "look dir", "look file", "run file")
}

// TestTransit has directories that lead to a mount be the view's own for as long
// as they do, and list what they lead to.
func TestTransit(t *testing.T) {
	var asked record
	v := newView(t, trap.Config{Touch: asked.refuse})
	must(os.MkdirAll(v.host+"/a/granted", 0o755))
	must(os.WriteFile(v.host+"/a/granted/inner", nil, 0o644))
	must(os.WriteFile(v.host+"/a/hidden", nil, 0o644))
	object, err := unix.Open(v.host+"/a/granted", unix.O_PATH|unix.O_CLOEXEC, 0)
	must(err)
	defer unix.Close(object)
	mountAndTry := func() {
		must(v.mount(object, v.host+"/a/granted"))
		v.trap.Shown(v.host+"/a/granted", true) // twice is once
		wantLines(t, v.try("list", v.host+"/a", "stat", v.host+"/a", "chdir", v.host+"/a", "access", v.host+"/a",
			"writable", v.host+"/a", "list", v.host+"/a/granted", "create", v.host+"/a/new"),
			"granted", "40755 0", "ok", "ok", "EACCES", "inner", "EACCES")
		asked.want(t)
		wantLines(t, v.try("stat", v.host+"/a/hidden"), "EACCES")
		asked.want(t, "look hidden")
	}
	mountAndTry()

	must(unix.Unmount(v.dir+v.host+"/a/granted", unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
	v.trap.Hidden(v.host + "/a/granted")
	v.trap.Hidden(v.host + "/never/there")
	wantLines(t, v.try("list", v.host+"/a", "stat", v.host+"/a/granted", "list", "/"), "EACCES", "EACCES", "")
	asked.want(t, "list a", "look granted")

	mountAndTry()
}

// TestMountStays keeps what is mounted when the host's name for it goes away.
func TestMountStays(t *testing.T) {
	v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno { return v.attach(o) })
	p := v.host + "/dir/file"
	must(os.Mkdir(v.host+"/dir", 0o755))
	must(os.WriteFile(p, []byte("old"), 0o644))
	wantLines(t, v.try("read", p), "old")
	must(os.RemoveAll(v.host + "/dir"))
	must(os.WriteFile(v.host+"/other", []byte("other"), 0o644))
	// The first touch of another name has the kernel look at all names of its path again.
	wantLines(t, v.try("read", v.host+"/other", "read", p), "other", "old")
}

// TestMountStaysExchanged has lookups tell of what was mounted, and the mount stay,
// when the host's name becomes something else between the question and the mount.
func TestMountStaysExchanged(t *testing.T) {
	for name, exchange := range map[string]func(at string) error{
		"a link": func(at string) error { return os.Symlink("elsewhere", at) }, "a directory": func(at string) error { return os.Mkdir(at, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno {
				if _, err := os.Lstat(o.Path + ".old"); o.Path == v.host+"/file" && err != nil {
					must(os.Rename(o.Path, o.Path+".old"))
					must(exchange(o.Path))
					v.trap.Shown(o.Path, false)
				}
				return v.attach(o)
			})
			must(os.WriteFile(v.host+"/file", []byte("old"), 0o644))
			must(os.WriteFile(v.host+"/other", []byte("other"), 0o644))
			// Each first touch has the kernel look at all names of its path again.
			wantLines(t, v.try("read", v.host+"/file", "read", v.host+"/other", "read", v.host+"/file"), "old", "other", "old")
		})
	}
}

// TestUnsteady finds at once that a name that was a link, and something else
// before, is no link any more.
func TestUnsteady(t *testing.T) {
	v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno { return v.attach(o) })
	p := v.host + "/name"
	for i := range 20 {
		must(os.Symlink("elsewhere", p))
		v.try("lstat", p)
		must(os.Remove(p))
		must(os.WriteFile(p, []byte("file"), 0o644))
		if i == 0 {
			time.Sleep(1100 * time.Millisecond) // what nobody knows to change the kernel keeps for a second
		}
		if got := v.try("read", p)[0]; got != "file" {
			t.Fatalf("read of what is a file again: %s", got)
		}
		must(unix.Unmount(v.dir+p, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW))
		v.trap.Hidden(p)
		must(os.Remove(p))
		v.try("stat", p) // the kernel finds that it is gone
		time.Sleep(20 * time.Millisecond)
	}
}

// TestReplaced has a touch be about what has the name at that time.
func TestReplaced(t *testing.T) {
	var allow atomic.Bool
	v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno {
		if !allow.Load() {
			return unix.EACCES
		}
		return v.attach(o)
	})
	file, dir := v.host+"/file", v.host+"/dir"
	must(os.WriteFile(file, []byte("first"), 0o644))
	must(os.Mkdir(dir, 0o755))
	wantLines(t, v.try("read", file, "list", dir), "EACCES", "EACCES") // the kernel knows both names now
	allow.Store(true)

	must(os.WriteFile(file+".new", []byte("second"), 0o644))
	must(os.Rename(file+".new", file))
	wantLines(t, v.try("read", file), "second")

	// Gone, and there again.
	must(os.Remove(dir))
	wantLines(t, v.try("stat", dir, "list", dir), "ENOENT", "ENOENT")
	must(os.Mkdir(dir, 0o755))
	wantLines(t, v.try("list", dir), "")

	// Something of another kind: that call finds nothing, the next one all.
	other := v.host + "/other"
	allow.Store(false)
	must(os.WriteFile(other, nil, 0o644))
	wantLines(t, v.try("read", other), "EACCES")
	allow.Store(true)
	must(os.Remove(other))
	must(os.Mkdir(other, 0o755))
	wantLines(t, v.try("list", other, "list", other), "ENOTDIR", "ENOTDIR")
	wantLines(t, v.try("stat", other), "ENOENT")
	// The name is forgotten after the answer.
	v.until("what became a directory is listed", func() bool { return v.try("list", other)[0] == "" })

	// A link that leads elsewhere: nobody is asked about links.
	must(os.Symlink("file", v.host+"/link"))
	wantLines(t, v.try("link", v.host+"/link", "lstat", v.host+"/link"), "file", "120777 4")
	must(os.Remove(v.host + "/link"))
	must(os.Symlink("../elsewhere", v.host+"/link"))
	time.Sleep(1100 * time.Millisecond)
	wantLines(t, v.try("link", v.host+"/link", "lstat", v.host+"/link"), "../elsewhere", "120777 12")

	// A folder on the way that became a link leads nowhere.
	must(os.Mkdir(v.host+"/way", 0o755))
	must(os.WriteFile(v.host+"/way/file", nil, 0o644))
	allow.Store(false)
	wantLines(t, v.try("read", v.host+"/way/file"), "EACCES")
	allow.Store(true)
	must(os.Rename(v.host+"/way", v.host+"/moved"))
	must(os.Symlink("moved", v.host+"/way"))
	wantLines(t, v.try("read", v.host+"/way/file"), "ENOENT")
}

// TestListLong lists a directory of many pages while names come and go.
func TestListLong(t *testing.T) {
	const n = 10_000
	c := trap.Config{Names: []trap.Name{{Path: "/many", Dir: true}}}
	for i := range n {
		c.Names = append(c.Names, trap.Name{Path: fmt.Sprintf("/many/name-%d", i)})
	}
	v := newView(t, c)
	stop := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				v.trap.Shown(fmt.Sprintf("/many/passing-%d", i%50), false)
				v.trap.Hidden(fmt.Sprintf("/many/passing-%d", i%50))
			}
		}
	}()
	names := strings.Fields(v.try("list", "/many")[0])
	close(stop)
	names = slices.DeleteFunc(names, func(s string) bool { return strings.HasPrefix(s, "passing-") })
	if len(names) != n {
		t.Errorf("%d names, want %d", len(names), n)
	}
	slices.Sort(names)
	if twice := len(names) - len(slices.Compact(names)); twice > 0 {
		t.Errorf("%d names twice", twice)
	}
}

// TestFault refuses to serve what was configured wrongly.
func TestFault(t *testing.T) {
	for _, c := range []trap.Config{
		{Names: []trap.Name{{Path: "relative"}}},
		{Names: []trap.Name{{Path: "/a/../b"}}},
		{Names: []trap.Name{{Path: "/file"}, {Path: "/file/beneath"}}},
		{Names: []trap.Name{{Path: "/dir/beneath"}, {Path: "/dir", Link: "x"}}},
		{Quiet: []string{"x"}},
		{Host: -1},
	} {
		if c.Host == 0 {
			root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
			must(err)
			defer unix.Close(root)
			c.Host = root
		}
		dev, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		must(err)
		if err := trap.New(c).Serve(t.Context(), dev); err == nil {
			t.Errorf("%+v is served", c)
		}
	}
}
