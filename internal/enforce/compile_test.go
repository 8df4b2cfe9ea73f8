package enforce_test

import (
	"bytes"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

var update = flag.Bool("update", false, "write the golden files anew")

func caps(t *testing.T, texts ...string) (cs []capability.Capability) {
	t.Helper()
	for _, text := range texts {
		c, err := capability.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if c, err = c.Resolve(capability.Base{Home: "/home/u", Dir: "/work"}); err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
	return cs
}

func dir(path string) enforce.Object  { return enforce.Object{Path: path, Dir: true, Dev: 1, Ino: 2} }
func file(path string) enforce.Object { return enforce.Object{Path: path, Dev: 1, Ino: 3} }

// host is a Debian-like machine, and facts what it offers.
func host() enforce.Input {
	return enforce.Input{
		Session: "s-test", AdHoc: true, HomePath: "/home/u", Home: enforce.HomeEphemeral,
		Objects: map[string][]enforce.Object{},
		Base: enforce.Base{
			Dirs:     []enforce.Object{dir("/usr"), dir("/etc/ssl/certs")},
			Programs: []string{"/usr/bin"},
			Links:    []enforce.Link{{Path: "/bin", Target: "usr/bin"}, {Path: "/lib64", Target: "usr/lib64"}},
			Files:    []enforce.File{{Path: "/etc/passwd", Content: []byte("root:x:0:0::/root:/bin/sh\n")}},
		},
		Program:     enforce.Program{Path: "/usr/bin/true", Argv: []string{"true"}, Dir: "/", Env: []string{"PATH=/usr/bin"}},
		Executables: []enforce.Object{file("/usr/bin/true"), file("/usr/lib64/ld-linux-x86-64.so.2")},
	}
}

func facts() enforce.Facts {
	return enforce.Facts{UID: 1000, GID: 1000, UserNamespace: true, LandlockABI: 7, PIDMax: true}
}

// cases are the golden plans: what a manifest or the flags grant, on host.
var cases = []struct {
	name   string
	change func(t *testing.T, in *enforce.Input, f *enforce.Facts)
}{
	{"nothing-granted", func(*testing.T, *enforce.Input, *enforce.Facts) {}},
	{"directory-read-and-write", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Effective = caps(t, "fs.read:~/proj", "fs.write:~/proj/out")
		in.Objects["fs.read:/home/u/proj"] = []enforce.Object{dir("/home/u/proj")}
		in.Objects["fs.write:/home/u/proj/out"] = []enforce.Object{dir("/home/u/proj/out")}
	}},
	{"write-covers-nested-read", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Effective = caps(t, "fs.write:/work", "fs.read:/work/sub")
		in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
		in.Objects["fs.read:/work/sub"] = []enforce.Object{dir("/work/sub")}
	}},
	{"glob-grants-matches-only", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Effective = caps(t, "fs.read:~/Documents/*.pdf")
		in.Objects["fs.read:/home/u/Documents/*.pdf"] = []enforce.Object{file("/home/u/Documents/a.pdf"), file("/home/u/Documents/b c.pdf")}
	}},
	{"masks", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Effective = caps(t, "fs.write:/work")
		in.Masked = caps(t, "fs.read:/work/.env", "fs.write:/work/.git", "fs.read:/work/secrets", "fs.read:/elsewhere", "net.connect:evil.example")
		in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
		in.Objects["fs.read:/work/.env"] = []enforce.Object{file("/work/.env")}
		in.Objects["fs.write:/work/.git"] = []enforce.Object{dir("/work/.git")}
		in.Objects["fs.read:/work/secrets"] = []enforce.Object{dir("/work/secrets")}
		in.Objects["fs.read:/elsewhere"] = []enforce.Object{dir("/elsewhere")}
	}},
	{"masks-of-one-path", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Effective = caps(t, "fs.write:/work", "fs.read:/work/a")
		in.Masked = caps(t, "fs.read:/work/a/secret", "fs.write:/work/a/secret", "fs.read:/work/dir", "fs.write:/work/dir/file", "fs.write:/work/a/b/c")
		in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
		in.Objects["fs.read:/work/a"] = []enforce.Object{dir("/work/a")}
		in.Objects["fs.read:/work/a/secret"] = []enforce.Object{file("/work/a/secret")}
		in.Objects["fs.write:/work/a/secret"] = []enforce.Object{file("/work/a/secret")}
		in.Objects["fs.read:/work/dir"] = []enforce.Object{dir("/work/dir")}
		in.Objects["fs.write:/work/dir/file"] = []enforce.Object{file("/work/dir/file")}
		in.Objects["fs.write:/work/a/b/c"] = []enforce.Object{file("/work/a/b/c")}
	}},
	{"links-on-the-way", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Effective = caps(t, "fs.read:/data/u/proj")
		o := dir("/data/u/proj")
		o.Links = []enforce.Link{{Path: "/home", Target: "/data"}}
		in.Objects["fs.read:/data/u/proj"] = []enforce.Object{o}
		in.HomePath = "/data/u"
	}},
	{"pack-without-spawn", func(_ *testing.T, in *enforce.Input, _ *enforce.Facts) {
		pack := dir("/opt/pack")
		in.AdHoc, in.Pack = false, &pack
	}},
	{"pack-with-scoped-spawn", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		pack := dir("/opt/pack")
		in.AdHoc, in.Pack = false, &pack
		in.Effective = caps(t, "process.spawn:/usr/bin/git")
		in.Objects["process.spawn:/usr/bin/git"] = []enforce.Object{file("/usr/bin/git"), file("/usr/lib64/ld-linux-x86-64.so.2")}
	}},
	{"pack-with-programs-beside", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.AdHoc = false
		in.Effective = caps(t, "process.spawn:/usr/lib/git-core/git-shell", "process.spawn:/usr/lib/jvm", "fs.read:/usr/lib/read")
		in.Objects["process.spawn:/usr/lib/git-core/git-shell"] = []enforce.Object{file("/usr/lib/git-core/git-shell")}
		in.Objects["process.spawn:/usr/lib/jvm"] = []enforce.Object{dir("/usr/lib/jvm")}
		in.Objects["fs.read:/usr/lib/read"] = []enforce.Object{dir("/usr/lib/read")}
		in.Base.Beside = []enforce.ProgramDir{
			{Path: "/usr/lib/apt", Whole: true, Files: []string{"/usr/lib/apt/helper"}},
			{Path: "/usr/lib/gcc", Files: []string{"/usr/lib/gcc/cc1"}},
			{Path: "/usr/lib/git-core", Whole: true, Files: []string{"/usr/lib/git-core/git-shell", "/usr/lib/git-core/git-daemon"}},
			{Path: "/usr/lib/jvm/bin", Whole: true, Files: []string{"/usr/lib/jvm/bin/java"}},
			{Path: "/usr/lib/read", Whole: true, Files: []string{"/usr/lib/read/x"}},
		}
	}},
	{"pack-with-any-spawn", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.AdHoc, in.Effective = false, caps(t, "process.spawn")
	}},
	{"sockets-by-name", func(t *testing.T, in *enforce.Input, f *enforce.Facts) {
		f.LandlockABI = 9
		socket := func(p string) enforce.Object { o := file(p); o.Socket = true; return o }
		in.Effective = caps(t, "fs.write:/work", "fs.write:/work/agent.sock")
		in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
		in.Objects["fs.write:/work/agent.sock"] = []enforce.Object{socket("/work/agent.sock")}
		in.Volumes = []enforce.Volume{{Source: socket("/run/db.sock"), Target: "/db.sock"}}
		in.Base.Sockets = []enforce.Object{socket("/work/agent.sock"), socket("/work/docker.sock"), socket("/run/db.sock")}
	}},
	{"volume-at-another-path", func(_ *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Volumes = []enforce.Volume{{Source: dir("/srv/a"), Target: "/input"}, {Source: dir("/srv/b"), Target: "/output", Write: true}}
	}},
	{"zones", func(_ *testing.T, in *enforce.Input, f *enforce.Facts) {
		kept := "/home/u/.local/state/ambit/workspaces/p/"
		in.Volumes = []enforce.Volume{{Source: dir("/srv/job"), Target: "/zones/upload"}, {Source: dir(kept + "output"), Target: "/zones/output", Write: true, Bytes: 1 << 20, Tally: "/home/u/.local/state/ambit/zones/1-1"},
			{Source: dir(kept + "store"), Target: "/zones/store", Append: true, Bytes: 1 << 20, Files: 100, Tally: "/home/u/.local/state/ambit/zones/1-2"},
			{Source: dir("/home/u/proj"), Target: "/zones/tree", Changes: "/home/u/.local/state/ambit/changes/s/3"}}
		f.FUSE = true
	}},
	{"home-none", func(_ *testing.T, in *enforce.Input, _ *enforce.Facts) { in.Home, in.HomePath = enforce.HomeNone, "" }},
	{"home-private", func(_ *testing.T, in *enforce.Input, _ *enforce.Facts) {
		o := dir("/home/u/.local/state/ambit/homes/p")
		in.Home, in.PrivateHome = enforce.HomePrivate, &o
	}},
	{"limits-by-cgroup", func(_ *testing.T, in *enforce.Input, f *enforce.Facts) {
		in.Limits = enforce.Limits{Memory: 1 << 20, PIDs: 10, CPU: 500, Wall: time.Minute, Disk: 1 << 20, FDs: 64}
		f.Cgroup = []string{"memory", "pids", "cpu"}
	}},
	{"limits-weaker", func(_ *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Limits = enforce.Limits{Memory: 1 << 20, PIDs: 10}
	}},
	{"asking", func(t *testing.T, in *enforce.Input, f *enforce.Facts) {
		in.Ask, in.Quiet, f.FUSE = true, []string{"/etc", "/sys"}, true
		in.Home, in.Program.Dir = enforce.HomeHost, "/home/u/proj"
		in.Effective = caps(t, "fs.read:~/Documents")
		in.Objects["fs.read:/home/u/Documents"] = []enforce.Object{dir("/home/u/Documents")}
	}},
	{"asking-pack", func(_ *testing.T, in *enforce.Input, f *enforce.Facts) {
		pack := dir("/opt/pack")
		in.AdHoc, in.Pack = false, &pack
		in.Ask, in.AskSpawn, f.FUSE = true, true, true
	}},
	{"asking-by-notification", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Ask, in.Notify, in.Quiet = true, true, []string{"/etc", "/sys"}
		in.Home, in.Program.Dir = enforce.HomeHost, "/home/u/proj"
		in.Effective = caps(t, "fs.read:~/Documents")
		in.Objects["fs.read:/home/u/Documents"] = []enforce.Object{dir("/home/u/Documents")}
	}},
	{"asking-pack-names-programs", func(t *testing.T, in *enforce.Input, f *enforce.Facts) {
		pack := dir("/opt/pack")
		in.AdHoc, in.Pack, in.Ask, f.FUSE = false, &pack, true, true
		in.Effective = caps(t, "process.spawn:/usr/bin/git")
		in.Objects["process.spawn:/usr/bin/git"] = []enforce.Object{file("/usr/bin/git"), file("/usr/lib64/ld-linux-x86-64.so.2")}
		in.AskRun = []enforce.Object{file("/usr/bin/make"), file("/usr/lib64/ld-linux-x86-64.so.2"), file("/opt/tool")}
	}},
	{"network", func(t *testing.T, in *enforce.Input, _ *enforce.Facts) {
		in.Effective = caps(t, "net.connect:api.github.com:443", "net.stream:api.github.com:443")
		in.Link = &enforce.LinkPlan{Guest: netip.MustParsePrefix("198.19.255.100/24"), Gateway: netip.MustParsePrefix("198.19.255.2/24"),
			Guest6: netip.MustParsePrefix("2001:2::100/64"), Gateway6: netip.MustParsePrefix("2001:2::2/64")}
	}},
	{"root-without-user-namespaces", func(_ *testing.T, _ *enforce.Input, f *enforce.Facts) {
		f.UID, f.GID, f.UserNamespace, f.PIDMax = 0, 0, false, false
	}},
}

func TestGolden(t *testing.T) {
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			in, f := host(), facts()
			tc.change(t, &in, &f)
			p, err := enforce.Compile(in, f)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", tc.name+".json")
			if *update {
				if err := os.WriteFile(golden, p.Text(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.Text(); !bytes.Equal(got, want) {
				t.Errorf("plan differs from %s (go test -update, then read the difference):\n%s", golden, got)
			}
		})
	}
}

// TestParentsFirst holds the order of every golden plan: what lies in a
// directory comes after it, and nothing twice.
func TestParentsFirst(t *testing.T) {
	for _, tc := range cases {
		in, f := host(), facts()
		tc.change(t, &in, &f)
		p, err := enforce.Compile(in, f)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range p.View {
			for _, later := range p.View[i+1:] {
				if strings.HasPrefix(e.Path, later.Path+"/") && later.Op != enforce.OpMask {
					t.Errorf("%s: %s stands before %s", tc.name, e.Path, later.Path)
				}
			}
		}
	}
}

// TestAskWithoutTrap: where nothing can be hidden behind a trap, a plan that
// asks is refused, not weakened.
func TestAskWithoutTrap(t *testing.T) {
	in := host()
	in.Ask = true
	if _, err := enforce.Compile(in, facts()); err == nil || !strings.Contains(err.Error(), "/dev/fuse") || !strings.Contains(err.Error(), "--ask-by notification") {
		t.Errorf("got %v, want an error that names /dev/fuse and the other way", err)
	}
	in.Notify = true
	p, err := enforce.Compile(in, facts())
	if err != nil || !p.Asks() || p.Trapped() || !p.Filter.HoldLooks {
		t.Errorf("by notification: got %+v, %v", p.Filter, err)
	}
}

// TestCannotEnforce: what this tier cannot do stops the launch, by name.
func TestCannotEnforce(t *testing.T) {
	for _, text := range []string{
		"net.connect:api.github.com:443", "net.listen:8080", "dns.lookup:example.com/A", "process.kill",
		"audio.play", "gpu.compute", "usb.device:1d6b:0002", "wayland.surface", "clipboard.read", "systemd.unit:a.service",
		"kernel.module:loop", "agent.spawn", "fleet.control", "secret.read:token", "inference.use:openai/gpt", "db.query:main",
		"media.fetch:example.com", "ui.tab.open", "browser.visit:example.com", "notebook.run", "tool.call:s/t", "host.execute",
	} {
		in := host()
		in.Effective = caps(t, text)
		_, err := enforce.Compile(in, facts())
		var cannot *enforce.CannotEnforce
		if !errors.As(err, &cannot) || !strings.Contains(err.Error(), string(in.Effective[0].Kind())) {
			t.Errorf("%s: got %v, want an error that names it", text, err)
		}
	}
}

// TestRecordTypes: with a link, lookups of the types that are passed on can be
// enforced, and no others.
func TestRecordTypes(t *testing.T) {
	for text, want := range map[string]bool{
		"dns.lookup:example.com/A,AAAA,TXT": true, "dns.lookup:*.example.com/*": true, "net.listen:80/8080": true,
		"dns.lookup:example.com/TXT,HTTPS": false, "dns.lookup:example.com/SVCB": false, "dns.lookup:example.com/CAA": false,
	} {
		in := host()
		in.Effective, in.Link = caps(t, text), &enforce.LinkPlan{}
		if _, err := enforce.Compile(in, facts()); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestWayOfTheLink: a tun device is taken where it opens, and only with a link.
func TestWayOfTheLink(t *testing.T) {
	in, f := host(), facts()
	f.TUN = true
	if p, err := enforce.Compile(in, f); err != nil || p.Link != nil {
		t.Errorf("without a network: %+v, %v", p.Link, err)
	}
	in.Link = &enforce.LinkPlan{}
	if p, err := enforce.Compile(in, f); err != nil || !p.Link.Tun || in.Link.Tun {
		t.Errorf("where it opens: %+v, %v", p.Link, err)
	}
	f.TUN = false
	if p, err := enforce.Compile(in, f); err != nil || p.Link.Tun {
		t.Errorf("where it does not: %+v, %v", p.Link, err)
	}
}

// TestHoldListens: listen is held where a port can be asked about, and nowhere
// else.
func TestHoldListens(t *testing.T) {
	for _, on := range []struct{ ask, listen, link, want bool }{
		{true, true, true, true}, {false, true, true, false}, {true, false, true, false}, {true, true, false, false},
	} {
		in, f := host(), facts()
		in.Ask, in.Notify, in.AskListen = on.ask, on.ask, on.listen
		if on.link {
			in.Link = &enforce.LinkPlan{}
		}
		p, err := enforce.Compile(in, f)
		if err != nil || p.Filter.HoldListens != on.want {
			t.Errorf("%+v: %v, %v", on, p.Filter.HoldListens, err)
		}
	}
}

// TestLateLink: a link is made with the first socket only where calls can wait, and
// then they do.
func TestLateLink(t *testing.T) {
	for _, on := range []struct{ ask, late, want bool }{{true, true, true}, {false, true, false}, {true, false, false}} {
		in, f := host(), facts()
		in.Ask, in.Notify, in.Link = on.ask, on.ask, &enforce.LinkPlan{Late: on.late}
		p, err := enforce.Compile(in, f)
		if err != nil || p.Link.Late != on.want || p.Filter.HoldSockets != on.want || (p.LinkAtStart() == nil) != on.want {
			t.Errorf("%+v: %+v, %v, %v", on, p.Link, p.Filter.HoldSockets, err)
		}
	}
}

// TestEveryKindHasAnAnswer: no kind is passed over in silence.
func TestEveryKindHasAnAnswer(t *testing.T) {
	for _, k := range capability.Kinds() {
		switch k {
		case capability.FSRead, capability.FSWrite, capability.ProcessSpawn:
			continue
		default:
		}
		c, err := capability.Parse(string(k))
		if err != nil {
			continue // it needs a scope; TestCannotEnforce has one
		}
		in := host()
		in.Effective = []capability.Capability{c}
		if _, err := enforce.Compile(in, facts()); err == nil {
			t.Errorf("%s: the launch went on", k)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name   string
		want   string
		change func(in *enforce.Input, f *enforce.Facts)
	}{
		{"no Landlock", "needs Landlock", func(_ *enforce.Input, f *enforce.Facts) { f.LandlockABI = 0 }},
		{"old Landlock", "needs Landlock", func(_ *enforce.Input, f *enforce.Facts) { f.LandlockABI = enforce.MinLandlockABI - 1 }},
		{"no user namespaces", "needs user namespaces", func(_ *enforce.Input, f *enforce.Facts) { f.UserNamespace = false }},
		{"zero facts", "needs", func(_ *enforce.Input, f *enforce.Facts) { *f = enforce.Facts{} }},
		{"cpu without a control group", "limit of cpu", func(in *enforce.Input, _ *enforce.Facts) { in.Limits.CPU = 1000 }},
		{"the host's proc", "/proc/1 is the sandbox's own", func(in *enforce.Input, _ *enforce.Facts) {
			in.Effective = caps(t, "fs.read:/proc/1")
			in.Objects["fs.read:/proc/1"] = []enforce.Object{dir("/proc/1")}
		}},
		{"a device", "/dev/sda is the sandbox's own", func(in *enforce.Input, _ *enforce.Facts) {
			in.Effective = caps(t, "fs.read:/dev/sda")
			in.Objects["fs.read:/dev/sda"] = []enforce.Object{file("/dev/sda")}
		}},
		{"a mask that is not there yet", "does not exist yet", func(in *enforce.Input, _ *enforce.Facts) {
			in.Effective, in.Masked = caps(t, "fs.write:/work"), caps(t, "fs.write:/work/.git")
			in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
		}},
		{"a volume inside the system", "would lie inside", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = []enforce.Volume{{Source: dir("/srv"), Target: "/usr/srv"}}
		}},
		{"an overlay of a file", "only a directory", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = []enforce.Volume{{Source: file("/srv/a"), Target: "/work", Changes: "/state/s"}}
		}},
		{"something of the host's in an overlay", "would lie inside", func(in *enforce.Input, _ *enforce.Facts) {
			in.Volumes = []enforce.Volume{{Source: dir("/srv"), Target: "/work", Changes: "/state/s"}, {Source: dir("/other"), Target: "/work/in", Write: true}}
		}},
	} {
		in, f := host(), facts()
		tc.change(&in, &f)
		if _, err := enforce.Compile(in, f); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

// TestOverlay: a volume that is changed elsewhere is nowhere a bind that can be
// written.
func TestOverlay(t *testing.T) {
	in := host()
	in.Volumes = []enforce.Volume{{Source: dir("/srv"), Target: "/work", Changes: "/state/s"}}
	in.Base.Sockets = []enforce.Object{{Path: "/srv/sock", Socket: true}}
	in.Masked = caps(t, "fs.read:/srv/in/key")
	in.Objects["fs.read:/srv/in/key"] = []enforce.Object{file("/srv/in/key")}
	p, err := enforce.Compile(in, facts())
	if err != nil {
		t.Fatal(err)
	}
	found, masked := 0, 0
	for _, e := range p.View {
		if e.Path == "/work/in/key" && e.Op == enforce.OpMask {
			masked++
		}
		if e.Pin {
			t.Errorf("a directory of the host's in it: %+v", e)
		}
		if e.Source == "/srv" || e.Path == "/work" {
			found++
			if e.Op == enforce.OpDir {
				found--
			} else if e.Op != enforce.OpOverlay || e.Changes != "/state/s" || !e.Write || e.Exec || e.Device || e.Ino == 0 {
				t.Errorf("got %+v", e)
			}
		}
	}
	if found != 1 || masked != 1 {
		t.Errorf("got %d entries of it, and %d masks", found, masked)
	}
}
