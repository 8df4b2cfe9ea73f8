package enforce_test

import (
	"errors"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// appending is the plan's append-only entries, by path.
func appending(t *testing.T, in enforce.Input) map[string]enforce.Entry {
	t.Helper()
	f := facts()
	f.FUSE = true
	p, err := enforce.Compile(in, f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]enforce.Entry{}
	for _, e := range p.View {
		if e.Op == enforce.OpAppend {
			all[e.Path] = e
		} else if e.Op == enforce.OpBind && e.Write && (e.Source == "/srv" || strings.HasPrefix(e.Source, "/srv/")) {
			all[e.Path] = e
		}
	}
	return all
}

// TestAppendOnly: what may only grow is nowhere a bind, and is read where that is
// granted too.
func TestAppendOnly(t *testing.T) {
	in := host()
	in.Volumes = []enforce.Volume{{Source: dir("/srv/a"), Target: "/store", Append: true, Bytes: 100, Files: 7}}
	in.Effective = caps(t, "fs.append:/srv/log", "fs.append:/srv/both", "fs.read:/srv/both")
	in.Objects["fs.append:/srv/log"] = []enforce.Object{file("/srv/log")}
	in.Objects["fs.append:/srv/both"] = []enforce.Object{dir("/srv/both")}
	in.Objects["fs.read:/srv/both"] = []enforce.Object{dir("/srv/both")}
	got := appending(t, in)
	for path, read := range map[string]bool{"/store": true, "/srv/log": false, "/srv/both": true} {
		e, ok := got[path]
		if !ok || e.Op != enforce.OpAppend || !e.Write || e.Exec || e.Device || e.Read != read || e.Ino == 0 {
			t.Errorf("%s: got %+v", path, e)
		}
	}
	if e := got["/store"]; e.Size != 100 || e.Files != 7 {
		t.Errorf("bounds: got %+v", e)
	}
	if len(got) != 3 {
		t.Errorf("got %+v", got)
	}
}

// TestAppendWritten: what may be written may be appended to, by the same capability.
func TestAppendWritten(t *testing.T) {
	in := host()
	in.Effective = caps(t, "fs.write:/srv", "fs.append:/srv/log")
	in.Objects["fs.write:/srv"] = []enforce.Object{dir("/srv")}
	in.Objects["fs.append:/srv/log"] = []enforce.Object{file("/srv/log")}
	if got := appending(t, in); len(got) != 1 || got["/srv"].Op != enforce.OpBind {
		t.Errorf("got %+v", got)
	}
}

// TestAppendDenied: what is denied in it is its server's to keep closed, by its path in
// it, wherever it is shown.
func TestAppendDenied(t *testing.T) {
	in, f := host(), facts()
	f.FUSE = true
	in.Volumes = []enforce.Volume{{Source: dir("/srv/a"), Target: "/store", Append: true}}
	in.Masked = caps(t, "fs.read:/srv/a/in/key", "fs.append:/srv/a/fixed", "fs.read:/srv/b")
	in.Objects["fs.read:/srv/a/in/key"] = []enforce.Object{file("/srv/a/in/key")}
	in.Objects["fs.append:/srv/a/fixed"] = []enforce.Object{dir("/srv/a/fixed")}
	in.Objects["fs.read:/srv/b"] = []enforce.Object{dir("/srv/b")}
	p, err := enforce.Compile(in, f)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range p.View {
		if e.Op != enforce.OpAppend {
			continue
		}
		if len(e.Denied) != 2 || e.Denied[0].Path != "in/key" || e.Denied[0].Read || e.Denied[0].Ino == 0 || e.Denied[1].Path != "fixed" || !e.Denied[1].Read {
			t.Errorf("got %+v", e.Denied)
		}
		return
	}
	t.Error("there is no append-only folder")
}

// TestAppendRefused: what would be less than append-only is refused by name.
func TestAppendRefused(t *testing.T) {
	bounded := enforce.Volume{Source: dir("/srv/out"), Target: "/out", Write: true, Bytes: 1 << 20, Tally: "/state/zones/1-2"}
	for _, tc := range []struct {
		name, want string
		change     func(in *enforce.Input, f *enforce.Facts)
	}{
		{"no device", "needs /dev/fuse", func(_ *enforce.Input, f *enforce.Facts) { f.FUSE = false }},
		{"a machine, and not to be read", "works on copies, which can be read", func(in *enforce.Input, _ *enforce.Facts) {
			in.Tier = enforce.TierEmulated
			in.Effective = append(in.Effective, caps(t, "fs.append:/srv/b")...)
			in.Objects["fs.append:/srv/b"] = []enforce.Object{dir("/srv/b")}
			in.Volumes = nil
		}},
		{"written elsewhere", "can be changed at /out", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = append(in.Volumes, enforce.Volume{Source: dir("/srv"), Target: "/out", Write: true})
		}},
		{"a part is written elsewhere", "can be changed at /srv/a/b", func(in *enforce.Input, _ *enforce.Facts) {
			in.Effective = caps(t, "fs.write:/srv/a/b")
			in.Objects["fs.write:/srv/a/b"] = []enforce.Object{dir("/srv/a/b")}
		}},
		{"something in it", "/store/in would lie in it", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = append(in.Volumes, enforce.Volume{Source: dir("/etc"), Target: "/store/in"})
		}},
		{"all of it denied", "/srv/a is denied", func(in *enforce.Input, _ *enforce.Facts) {
			in.Masked = caps(t, "fs.read:/srv/a")
			in.Objects["fs.read:/srv/a"] = []enforce.Object{dir("/srv/a")}
		}},
		{"a bound that nobody has alone", "by which one session has it alone", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = []enforce.Volume{{Source: dir("/srv"), Target: "/out", Write: true, Files: 5}}
		}},
		{"a bound without a device", "it needs /dev/fuse", func(in *enforce.Input, f *enforce.Facts) {
			f.FUSE, in.Volumes = false, []enforce.Volume{bounded}
		}},
		{"a bound of one file", "only what lies in a folder is counted", func(in *enforce.Input, _ *enforce.Facts) {
			v := bounded
			v.Source.Dir = false
			in.Volumes = []enforce.Volume{v}
		}},
		{"a bound on a copy", "is not counted", func(in *enforce.Input, _ *enforce.Facts) {
			v := bounded
			v.Write, v.Changes = false, "/state/changes/s/0"
			in.Volumes = []enforce.Volume{v}
		}},
		{"a bound on what is read", "it is read-only", func(in *enforce.Input, _ *enforce.Facts) {
			v := bounded
			v.Write = false
			in.Volumes = []enforce.Volume{v}
		}},
		{"a bound, and the same folder beside it", "can be written at /srv/out", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes, in.Effective = []enforce.Volume{bounded}, caps(t, "fs.write:/srv/out")
			in.Objects["fs.write:/srv/out"] = []enforce.Object{dir("/srv/out")}
		}},
		{"a bound, and a part of it append-only", "can be written at /store", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = append(in.Volumes, bounded)
			in.Volumes[0].Source = dir("/srv/out/a")
		}},
		{"a bound, and something in it", "/out/in would lie in it", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = []enforce.Volume{bounded, {Source: dir("/etc"), Target: "/out/in"}}
		}},
		{"a bound, and something denied in it", "/srv/out/a is denied in it", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes, in.Masked = []enforce.Volume{bounded}, caps(t, "fs.write:/srv/out/a")
			in.Objects["fs.write:/srv/out/a"] = []enforce.Object{dir("/srv/out/a")}
			in.Effective = caps(t, "fs.read:/srv/out")
			in.Objects["fs.read:/srv/out"] = []enforce.Object{dir("/srv/out")}
		}},
		{"a bound in another tier", "the gvisor tier does not count", func(in *enforce.Input, _ *enforce.Facts) {
			in.Tier, in.Volumes = enforce.TierGVisor, []enforce.Volume{bounded}
		}},
		{"a socket", "is a socket", func(in *enforce.Input, _ *enforce.Facts) {
			in.Effective = caps(t, "fs.append:/srv/sock")
			in.Objects["fs.append:/srv/sock"] = []enforce.Object{{Path: "/srv/sock", Socket: true, Dev: 1, Ino: 9}}
		}},
	} {
		in, f := host(), facts()
		f.FUSE = true
		in.Volumes = []enforce.Volume{{Source: dir("/srv/a"), Target: "/store", Append: true}}
		tc.change(&in, &f)
		_, err := enforce.Compile(in, f)
		var cannot *enforce.CannotEnforce
		if !errors.As(err, &cannot) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}
