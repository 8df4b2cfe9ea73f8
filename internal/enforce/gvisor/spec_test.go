//go:build linux

package gvisor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

func bindOf(path string, write, exec bool) enforce.Entry {
	return enforce.Entry{Op: enforce.OpBind, Path: path, Source: path, Dir: true, Write: write, Exec: exec}
}

func tmpfs(path string, write bool) enforce.Entry {
	return enforce.Entry{Op: enforce.OpTmpfs, Path: path, Dir: true, Write: write, Size: 4096, Mode: 0o755}
}

// TestMounts: what is granted is a mount of its own with its rights, programs are
// the root's, and what lies in the program's own memory comes from nowhere else.
func TestMounts(t *testing.T) {
	view := []enforce.Entry{
		bindOf("/usr", false, true),
		{Op: enforce.OpProc, Path: "/proc", Dir: true},
		{Op: enforce.OpMask, Path: "/proc/keys"},
		{Op: enforce.OpBind, Path: "/dev/null", Source: "/dev/null", Device: true},
		tmpfs("/dev/shm", true),
		tmpfs("/tmp", true),
		tmpfs("/tmp/a", false), bindOf("/tmp/a/work", true, false),
		bindOf("/data", false, false), bindOf("/data/out", true, false),
		{Op: enforce.OpBind, Path: "/data/pinned", Source: "/data/pinned", Dir: true, Pin: true},
		{Op: enforce.OpMask, Path: "/data/pinned/secret"},
		tmpfs("/home/u", true), {Op: enforce.OpLink, Path: "/home/u/link", Source: "/data"},
	}
	var got []string
	for _, m := range ociMounts(view) {
		got = append(got, m.Destination+" "+m.Type+" "+strings.Join(m.Options, ","))
	}
	want := []string{
		"/sys tmpfs ro,noexec,nosuid,size=4096,mode=0555",
		"/dev/shm tmpfs nosuid,rw,noexec,size=4096,mode=0755",
		"/tmp tmpfs nosuid,rw,noexec,size=4096,mode=0755",
		"/tmp/a bind rbind,nodev,nosuid,ro,noexec",
		"/tmp/a/work bind rbind,nodev,nosuid,rw,noexec",
		"/data bind rbind,nodev,nosuid,ro,noexec",
		"/data/out bind rbind,nodev,nosuid,rw,noexec",
		"/home/u bind rbind,nodev,nosuid,rw,noexec",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, e := range onHost(view) {
		if within(e.Path, "/proc") || within(e.Path, "/dev") {
			t.Errorf("%s is made on the host", e.Path)
		}
	}
}

// TestText: what JSON would change on its way is refused by its name.
func TestText(t *testing.T) {
	for name, p := range map[string]enforce.Plan{
		"an argument": {Program: enforce.Program{Path: "/bin/true", Argv: []string{"true", "\xff"}}},
		"a variable":  {Program: enforce.Program{Path: "/bin/true", Env: []string{"A=\xff"}}},
		"a path":      {Program: enforce.Program{Path: "/bin/true"}, View: []enforce.Entry{bindOf("/\xff", false, false)}},
	} {
		_, err := specOf(p, false, 0)
		if _, named := errors.AsType[*enforce.CannotEnforce](err); !named {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := specOf(enforce.Plan{Program: enforce.Program{Path: "/bin/true", Argv: []string{"ä"}}}, false, 0); err != nil {
		t.Error(err)
	}
}

// TestLook: a view that has other mounts than the plan, or with other rights, is
// not taken.
func TestLook(t *testing.T) {
	grant := bindOf("/data", false, false)
	for name, c := range map[string]struct {
		options string
		ok      bool
	}{
		"as planned":  {"ro,nosuid,nodev,noexec,relatime", true},
		"writable":    {"rw,nosuid,nodev,noexec", false},
		"executable":  {"ro,nosuid,nodev", false},
		"set-id bits": {"ro,nodev,noexec", false},
		"devices":     {"ro,nosuid,noexec", false},
	} {
		if err := (mountpoint{c.options, "ext4"}).holds("/data", grant); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for op, kind := range map[enforce.Op]string{enforce.OpAppend: "fuse", enforce.OpOverlay: "overlay"} {
		e := enforce.Entry{Op: op, Path: "/data", Write: true}
		for _, is := range []string{"ext4", "fuse", "overlay"} {
			if err := (mountpoint{"rw,nosuid,nodev,noexec", is}).holds("/data", e); (err == nil) != (is == kind) {
				t.Errorf("%s that is %s: %v", op, is, err)
			}
		}
	}
	wanted := map[string]enforce.Entry{"/": {Op: enforce.OpTmpfs}, "/data": grant}
	last := map[string]mountpoint{"/data/below": {"ro,nosuid,nodev,noexec", "ext4"}, "/elsewhere": {"ro,nosuid,nodev,noexec", "ext4"}, "/data/wide": {"rw,nosuid,nodev,noexec", "ext4"}}
	for p, ok := range map[string]bool{"/data/below": true, "/elsewhere": false, "/data/wide": false} {
		if err := expected(p, wanted, last); (err == nil) != ok {
			t.Errorf("%s: %v", p, err)
		}
	}
}
