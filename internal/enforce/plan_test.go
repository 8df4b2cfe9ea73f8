package enforce_test

import (
	"slices"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// TestLeading: directories of the view itself, never one that is mounted on or
// lies in a mount. A program that asks may begin in another one.
func TestLeading(t *testing.T) {
	dir := func(p string) enforce.Entry { return enforce.Entry{Op: enforce.OpDir, Path: p} }
	bind := func(p string) enforce.Entry { return enforce.Entry{Op: enforce.OpBind, Path: p, Dir: true} }
	p := enforce.Plan{View: []enforce.Entry{
		dir("/etc"), dir("/etc/ssl"), dir("/etc/ssl/certs"), bind("/etc/ssl/certs"),
		dir("/home"), dir("/home/u"), dir("/home/u/a"), bind("/home/u/a"), dir("/home/u/b"), bind("/home/u/b"), bind("/home/u/b/inside"),
		dir("/srv"), dir("/srv/x"), bind("/srv/x"), dir("/srv/x/y"), bind("/srv/x/y/z"),
		dir("/opt"), dir("/opt/empty"), dir("/usr"), bind("/usr"),
		{Op: enforce.OpTmpfs, Path: "/tmp", Dir: true, Write: true}, dir("/tmp/a"), dir("/tmp/a/b"), bind("/tmp/a/b"),
	}}
	if got, want := p.Leading(), []string{"/etc/ssl", "/home/u"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, tc := range []struct {
		begins string
		asks   bool
		want   []string
	}{
		{"/opt/empty", false, nil},
		{"/opt/empty", true, []string{"/opt/empty"}},
		{"/home/u", true, nil},
		{"/srv/x/y", true, nil}, // in a mount
		{"/home/u/a", true, nil},
		{"/opt", true, nil},
		{"/elsewhere/in/no/view", true, nil},
	} {
		p.Program.Dir, p.Filter.HoldChanges = tc.begins, tc.asks
		got := slices.DeleteFunc(p.Leading(), func(d string) bool { return d == "/etc/ssl" || d == "/home/u" })
		if len(got) != len(tc.want) || !slices.Equal(got, append([]string{}, tc.want...)) {
			t.Errorf("begins in %s, asks %v: %q more, want %q", tc.begins, tc.asks, got, tc.want)
		}
	}
}
