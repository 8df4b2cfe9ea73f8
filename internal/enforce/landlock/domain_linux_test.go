package landlock_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// An attempt must fail with want when it is confined and succeed when it is
// not; with want "ok" it must succeed in both.
type attempt struct {
	name  string
	want  string
	root  bool // only root could
	since int  // the ABI that closes it, where that is not the oldest
	try   func() error
}

// wanted is what this kernel's ABI has to answer.
func (a attempt) wanted(abi int) string {
	if abi < a.since {
		return "ok" // what Steps says is left open
	}
	return a.want
}

func opened(fd int, err error) error {
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func list(o order, host, outside int, mountLater func() error) []attempt {
	in := func(name string) string { return filepath.Join(o.View, name) }
	canary := filepath.Join(o.Outside, "canary")[1:] // relative to host
	return append(beyond(o, host, outside, canary), []attempt{
		{name: "inside, create", want: "ok", try: func() error {
			return opened(unix.Open(in("made"), unix.O_CREAT|unix.O_WRONLY, 0o600))
		}},
		{name: "inside, read", want: "ok", try: func() error { return opened(unix.Open(in("file"), unix.O_RDONLY, 0)) }},
		{name: "inside, truncate", want: "ok", try: func() error { return unix.Truncate(in("file"), 0) }},
		{name: "inside, list", want: "ok", try: func() error { _, err := os.ReadDir(o.View); return err }},
		{name: "inside, another directory", want: "ok", try: func() error {
			return errors.Join(unix.Mkdir(in("d"), 0o700), unix.Rename(in("made"), in("d/made")), unix.Unlink(in("d/made")), unix.Rmdir(in("d")))
		}},
		{name: "inside, mounted later", want: "ok", root: true, try: func() error {
			if err := mountLater(); err != nil {
				return err
			}
			return opened(unix.Open(in("mnt/canary"), unix.O_RDONLY, 0))
		}},
		{name: "inside, signal to itself", want: "ok", try: func() error { return unix.Kill(os.Getpid(), 0) }},
	}...)
}

// beyond are attempts on what lies outside the view.
func beyond(o order, host, outside int, canary string) []attempt {
	at := func(make func(dir int, name string) error) func() error {
		return func() error { return errors.Join(make(outside, "new"), unix.Unlinkat(outside, "new", 0)) }
	}
	return []attempt{
		{name: "read by path", want: "EACCES", try: func() error { return opened(unix.Open("/"+canary, unix.O_RDONLY, 0)) }},
		{name: "read beneath the host's root", want: "EACCES", try: func() error { return opened(unix.Openat(host, canary, unix.O_RDONLY, 0)) }},
		{name: "read /etc/shadow beneath the host's root", want: "EACCES", root: true, try: func() error {
			return opened(unix.Openat(host, "etc/shadow", unix.O_RDONLY, 0))
		}},
		{name: "read beneath an O_PATH descriptor", want: "EACCES", try: func() error { return opened(unix.Openat(outside, "canary", unix.O_RDONLY, 0)) }},
		{name: "list", want: "EACCES", try: func() error { return opened(unix.Openat(outside, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)) }},
		{name: "reopen through proc", want: "EACCES", try: func() error {
			return opened(unix.Open(fmt.Sprintf("/proc/self/fd/%d/canary", outside), unix.O_RDONLY, 0))
		}},
		{name: "write", want: "EACCES", try: func() error { return opened(unix.Openat(outside, "canary", unix.O_WRONLY, 0)) }},
		{name: "truncate", want: "EACCES", since: 3, try: func() error { return unix.Truncate("/"+canary, 3) }},
		{name: "execute", want: "EACCES", try: func() error {
			return (&exec.Cmd{Path: "/bin/true", SysProcAttr: &unix.SysProcAttr{}}).Run()
		}},
		{name: "create", want: "EACCES", try: at(func(d int, n string) error { return opened(unix.Openat(d, n, unix.O_CREAT|unix.O_WRONLY, 0o600)) })},
		{name: "make a symlink", want: "EACCES", try: at(func(d int, n string) error { return unix.Symlinkat("canary", d, n) })},
		{name: "make a FIFO", want: "EACCES", try: at(func(d int, n string) error { return unix.Mknodat(d, n, unix.S_IFIFO|0o600, 0) })},
		{name: "make a device", want: "EACCES", root: true, try: at(func(d int, n string) error {
			return unix.Mknodat(d, n, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
		})},
		{name: "make a directory", want: "EACCES", try: func() error {
			return errors.Join(unix.Mkdirat(outside, "dir", 0o700), unix.Unlinkat(outside, "dir", unix.AT_REMOVEDIR))
		}},
		{name: "make a socket", want: "EACCES", try: func() error {
			path := filepath.Join(o.Outside, "socket")
			l, err := net.Listen("unix", path)
			if err == nil {
				err = l.Close()
			}
			return err
		}},
		{name: "remove", want: "EACCES", try: func() error { return unix.Unlinkat(outside, "victim", 0) }},
		{name: "move out of the view", want: "EACCES", try: func() error { return unix.Rename(filepath.Join(o.View, "mine"), filepath.Join(o.Outside, "mine")) }},
		{name: "link into the view", want: "EXDEV", try: func() error { return unix.Link("/"+canary, filepath.Join(o.View, "stolen")) }},
		{name: "open a device", want: "EACCES", try: func() error { return opened(unix.Open("/dev/random", unix.O_RDONLY, 0)) }},
		{name: "signal", want: "EPERM", since: 6, try: func() error { return unix.Kill(o.Victim, 0) }},
		{name: "abstract socket", want: "EPERM", since: 6, try: func() error {
			c, err := net.Dial("unix", "@"+o.Abstract)
			if err == nil {
				err = c.Close()
			}
			return err
		}},
		{name: "mount", want: "EPERM", root: true, try: func() error { return unix.Mount("none", filepath.Join(o.View, "mnt"), "tmpfs", 0, "") }},
		{name: "chroot, then read", want: "EACCES", root: true, try: func() error {
			return errors.Join(unix.Fchdir(host), opened(unix.Open(canary, unix.O_RDONLY, 0)))
		}},
		// What Landlock does not look at. If one of these ever fails, the
		// package comment says too little.
		{name: "stat", want: "ok", try: func() error {
			var st unix.Stat_t
			return unix.Fstatat(host, canary, &st, 0)
		}},
		{name: "O_PATH", want: "ok", try: func() error { return opened(unix.Openat(host, canary, unix.O_PATH, 0)) }},
		{name: "chmod", want: "ok", try: func() error { return unix.Fchmodat(outside, "canary", 0o640, 0) }},
	}
}

// TestLeakedDescriptor makes every attempt confined and not, and looks
// afterwards whether the canary is untouched.
func TestLeakedDescriptor(t *testing.T) {
	abi := needABI(t)
	control, confined := scene(t), scene(t)
	without := runChild(t, control)
	confined.Confined = true
	with := runChild(t, confined)
	for _, a := range list(order{}, -1, -1, nil) {
		if a.root && os.Geteuid() != 0 {
			continue
		}
		if got, want := with[a.name], a.wanted(abi); got != want {
			t.Errorf("%s: %s, want %s", a.name, got, want)
		}
		if got := without[a.name]; got != "ok" {
			t.Errorf("control of %s, not confined: %s", a.name, got)
		}
	}
	if got, err := os.ReadFile(filepath.Join(confined.Outside, "canary")); err != nil || string(got) != "canary" && abi >= 3 {
		t.Errorf("the canary is %q, %v", got, err)
	}
	for name, want := range map[string]bool{"victim": true, "mine": false, "new": false, "dir": false, "socket": false} {
		if _, err := os.Lstat(filepath.Join(confined.Outside, name)); (err == nil) != want {
			t.Errorf("outside, %s is there: %v, want %v", name, err == nil, want)
		}
	}
}

// scene lays out a view and an outside.
func scene(t *testing.T) order {
	t.Helper()
	o := order{View: t.TempDir(), Outside: t.TempDir(), Abstract: fmt.Sprintf("ambit-test-%d-%s", os.Getpid(), t.TempDir()), Victim: os.Getpid()}
	for _, path := range []string{o.View + "/file", o.View + "/mine", o.Outside + "/canary", o.Outside + "/victim"} {
		if err := os.WriteFile(path, []byte(filepath.Base(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(o.View+"/mnt", 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", "@"+o.Abstract)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return o
}

// TestRightsMatter takes one right away from the rule at a time: what it is
// for must fail inside the view too, so each is really handled.
func TestRightsMatter(t *testing.T) {
	abi := needABI(t)
	for right, c := range map[uint64]struct{ name, want string }{
		unix.LANDLOCK_ACCESS_FS_READ_FILE: {"inside, read", "EACCES"},
		unix.LANDLOCK_ACCESS_FS_TRUNCATE:  {"inside, truncate", "EACCES"},
		unix.LANDLOCK_ACCESS_FS_READ_DIR:  {"inside, list", "EACCES"},
		unix.LANDLOCK_ACCESS_FS_MAKE_REG:  {"inside, create", "EACCES"},
		unix.LANDLOCK_ACCESS_FS_REFER:     {"inside, another directory", "EXDEV"},
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR:  {"inside, another directory", "EACCES"},
	} {
		if landlock.AllFS(abi)&right == 0 {
			continue
		}
		o := scene(t)
		o.Confined, o.Without = true, right
		if got := runChild(t, o)[c.name]; got != c.want {
			t.Errorf("without right %#x, %s: %s, want %s", right, c.name, got, c.want)
		}
	}
}

// TestDeviceIoctl asks a device for something, with its right and without.
func TestDeviceIoctl(t *testing.T) {
	without := "EACCES"
	if needABI(t) < 5 {
		without = "ok"
	}
	for _, c := range []struct {
		without uint64
		want    string
	}{{0, "ok"}, {unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, without}} {
		got := runChild(t, order{View: "/dev", Outside: t.TempDir(), Confined: true, Without: c.without, Device: true})
		if got["ioctl"] != c.want {
			t.Errorf("without right %#x: %s, want %s", c.without, got["ioctl"], c.want)
		}
	}
}

// deviceIoctl reads how much entropy there is.
func deviceIoctl() error {
	fd, err := unix.Open("/dev/random", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.IoctlGetInt(fd, 0x80045200) // RNDGETENTCNT (linux/random.h)
	return err
}
