package process

import (
	"maps"
	"slices"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// TestUses: what is opened counts for the nearest entry of the view, through links
// of the view, and for no other.
func TestUses(t *testing.T) {
	view := []enforce.Entry{{Op: enforce.OpDir, Path: "/home"}, {Op: enforce.OpBind, Path: "/home/a"}, {Op: enforce.OpBind, Path: "/home/a/b"},
		{Op: enforce.OpBind, Path: "/home/file"}, {Op: enforce.OpLink, Path: "/l", Source: "/home/a"}, {Op: enforce.OpLink, Path: "/home/r", Source: "file"},
		{Op: enforce.OpLink, Path: "/loop", Source: "/loop/x"}, {Op: enforce.OpMask, Path: "/home/a/secret"}}
	for p, want := range map[string]string{
		"/home/a": "/home/a", "/home/a/x/y": "/home/a", "/home/a/b/x": "/home/a/b", "/home/ab": "/home", "/home/file": "/home/file",
		"/l/x": "/home/a", "/l": "/home/a", "/l/b": "/home/a/b", "/home/r": "/home/file", "/home/a/secret": "/home/a/secret", "/loop": "", "/etc/x": "", "/": "",
	} {
		u := newUses(view)
		u.opened(p)
		var got string
		if seen := slices.Collect(maps.Keys(u.seen)); len(seen) == 1 {
			got = seen[0]
		}
		if got != want || len(u.seen) > 1 {
			t.Errorf("%s: %v, want %q", p, u.seen, want)
		}
	}
}
