package process_test

import (
	"context"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/view"
)

// aheadInput is a command without a pack that may read one folder.
func aheadInput(t *testing.T, folder, script string) enforce.Input {
	t.Helper()
	base, err := view.Base(view.Who{Name: "u", UID: os.Getuid(), GID: os.Getgid()})
	if err != nil {
		t.Fatal(err)
	}
	sh, err := view.Executables("/bin/sh", exec.LookPath)
	if err != nil {
		t.Fatal(err)
	}
	c, err := capability.ForPath(capability.FSRead, folder)
	if err != nil {
		t.Fatal(err)
	}
	o, err := view.Resolve(folder)
	if err != nil {
		t.Fatal(err)
	}
	return enforce.Input{Session: "s-ahead", AdHoc: true, Base: base, Executables: sh, Home: enforce.HomeEphemeral, HomePath: "/home/u",
		Effective: []capability.Capability{c}, Objects: map[string][]enforce.Object{c.String(): {o}},
		Program: enforce.Program{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin"}}}
}

// runAhead starts a plan from what was begun with another view, and answers what
// the program said.
func runAhead(t *testing.T, p enforce.Plan, ahead []enforce.Entry) string {
	t.Helper()
	return runAheadLinked(t, p, ahead, nil)
}

func runAheadLinked(t *testing.T, p enforce.Plan, ahead []enforce.Entry, link *enforce.LinkPlan) string {
	t.Helper()
	return runAfter(t, p, func(tier process.Tier) { tier.Ahead(ahead, link) })
}

// runStanding is runAhead where the whole view was made.
func runStanding(t *testing.T, p enforce.Plan, view []enforce.Entry) string {
	t.Helper()
	return runAfter(t, p, func(tier process.Tier) { tier.Stand(view) })
}

func runAfter(t *testing.T, p enforce.Plan, prepare func(process.Tier)) string {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	stdio := enforce.Stdio{In: null, Out: w, Err: w}
	tier := process.Begin(enforce.Outline(facts(t)), stdio)
	defer tier.Discard()
	tier.Asker, tier.Networker = refuser{}, &closer{}
	prepare(tier)
	inside, err := tier.Start(t.Context(), p, stdio)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if broken := inside.Report().Broken(); broken != nil {
		t.Errorf("a layer does not hold: %v", broken)
	}
	if err := inside.Release(); err != nil {
		t.Error(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Error(err)
	}
	if _, err := inside.Wait(); err != nil {
		t.Error(err)
	}
	return string(text)
}

// TestAhead: whatever was made ahead, the view is the plan's.
func TestAhead(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/file", []byte("content\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const look = `find / -xdev 2>/dev/null -printf '%p %l %m\n' | sort; find /etc -xdev -type f | sort | xargs sha256sum;
cut -d' ' -f5,6,8,10- /proc/self/mountinfo | sort; umask; cat "$1/file"; echo x > "$1/new" || echo closed`
	in := aheadInput(t, folder, look)
	in.Program.Argv = append(in.Program.Argv, "sh", folder)
	plan, err := enforce.Compile(in, facts(t))
	if err != nil {
		t.Fatal(err)
	}
	usual := in
	usual.Effective, usual.Objects = nil, nil
	all := enforce.Ahead(usual)
	want := runAhead(t, plan, nil)
	if len(all) < 10 || !strings.Contains(want, "content\n") || !strings.Contains(want, "closed\n") {
		t.Fatalf("%d entries ahead, it said:\n%s", len(all), want)
	}
	change := func(f func(e *enforce.Entry)) []enforce.Entry {
		other := slices.Clone(all)
		for i := range other {
			f(&other[i])
		}
		return other
	}
	for name, ahead := range map[string][]enforce.Entry{
		"what the plan has":   all,
		"all of the plan":     plan.View,
		"with wider rights":   change(func(e *enforce.Entry) { e.Write, e.Exec, e.Device = true, true, true }),
		"with other files":    change(func(e *enforce.Entry) { e.Content = append(slices.Clone(e.Content), "more"...) }),
		"with other links":    change(func(e *enforce.Entry) { e.Source = strings.Replace(e.Source, "usr/", "tmp/", 1) }),
		"with other sizes":    change(func(e *enforce.Entry) { e.Size *= 2 }),
		"with a name more":    append(slices.Clone(all), enforce.Entry{Op: enforce.OpFile, Path: "/more", Content: []byte("more"), Mode: 0o644}),
		"with a mount more":   append(slices.Clone(all), enforce.Entry{Op: enforce.OpBind, Path: "/etc/more", Source: "/", Write: true, Dir: true}),
		"half of it":          all[:len(all)/2],
		"what a mount covers": covered(folder),
	} {
		t.Run(name, func(t *testing.T) {
			if got := runAhead(t, plan, ahead); got != want {
				t.Error(cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
			}
			if got := runStanding(t, plan, ahead); got != want {
				t.Errorf("where it stood: %s", cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
			}
		})
	}
}

// covered are names on the root where the plan has them on a mount.
func covered(folder string) (view []enforce.Entry) {
	for i, c := range folder[1:] + "/" {
		if c == '/' {
			view = append(view, enforce.Entry{Op: enforce.OpDir, Path: folder[:i+1], Mode: 0o755})
		}
	}
	return append(view, enforce.Entry{Op: enforce.OpDir, Path: "/proc", Mode: 0o755}, enforce.Entry{Op: enforce.OpProc, Path: "/proc", Dir: true})
}

// TestAheadIsUsed: of the usual view nothing is made twice.
func TestAheadIsUsed(t *testing.T) {
	in := aheadInput(t, t.TempDir(), "true")
	plan, err := enforce.Compile(in, facts(t))
	if err != nil {
		t.Fatal(err)
	}
	in.Effective, in.Objects = nil, nil
	root, left, mounts := process.TakeAhead(enforce.Ahead(in), plan)
	if !root || mounts != 0 {
		t.Errorf("the root is used: %v; %d mounts are made and not used", root, mounts)
	}
	for _, e := range left {
		if e.Op == enforce.OpFile || e.Op == enforce.OpLink {
			t.Errorf("made again: %+v", e)
		}
	}
	in.Ask = true
	f := facts(t)
	f.FUSE = true
	if plan, err = enforce.Compile(in, f); err != nil {
		t.Fatal(err)
	}
	root, left, mounts = process.TakeAhead(enforce.Ahead(in), plan)
	if !root || mounts != 0 {
		t.Errorf("where it asks, the root is used: %v; %d mounts are made and not used", root, mounts)
	}
	for _, e := range left {
		if e.Op == enforce.OpFile && plan.Has(filepath.Dir(e.Path)) {
			t.Errorf("where it asks, made again: %+v", e)
		}
	}
}

// A refuser answers every touch with no, and a closer is a network that nothing
// comes through.
type (
	refuser struct{}
	closer  struct{}
)

func (refuser) Touched(context.Context, enforce.Touch) enforce.Answer { return enforce.Answer{} }
func (refuser) NotShown(context.Context, enforce.Touch, error)        {}
func (closer) Linked(l *enforce.Ends) error                           { return l.Close() }

// ends are the addresses of a link.
func ends(tun bool) *enforce.LinkPlan {
	return &enforce.LinkPlan{Guest: netip.MustParsePrefix("198.19.255.100/24"), Gateway: netip.MustParsePrefix("198.19.255.2/24"),
		Guest6: netip.MustParsePrefix("2001:2::100/64"), Gateway6: netip.MustParsePrefix("2001:2::2/64"), Tun: tun}
}

// TestAheadAsking: the same where the root is a trap, or the sandbox has a link.
// What was sent ahead and does not belong to the plan is of no use to anybody.
func TestAheadAsking(t *testing.T) {
	f := asking(t)
	folder := t.TempDir()
	if err := os.WriteFile(folder+"/file", []byte("content\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	const look = `find /etc /dev -xdev -printf '%p %l %m\n' | sort; find /etc -xdev -type f | sort | xargs sha256sum; ls -l / | cut -c1-10
cut -d' ' -f5,6,8,10- /proc/self/mountinfo | sort; cut -c1-30 /proc/net/route /proc/net/if_inet6 | sort; cat "$1/file"`
	in := aheadInput(t, folder, look)
	in.Program.Argv = append(in.Program.Argv, "sh", folder)
	layOut := func(change func(*enforce.Input)) (enforce.Plan, []enforce.Entry) {
		one := in
		change(&one)
		p, err := enforce.Compile(one, f)
		if err != nil {
			t.Fatal(err)
		}
		one.Effective, one.Objects = nil, nil
		return p, enforce.Ahead(one)
	}
	link, other := ends(false), ends(false)
	other.Guest = netip.MustParsePrefix("198.19.255.101/24")
	plain, usual := layOut(func(*enforce.Input) {})
	linked, _ := layOut(func(in *enforce.Input) { in.Link = link })
	plans, views := map[string]enforce.Plan{"plain": plain, "linked": linked}, map[string][]enforce.Entry{"the usual view": usual}
	plans["by notification"], _ = layOut(func(in *enforce.Input) { in.Ask, in.Notify, in.Link = true, true, link })
	if f.FUSE {
		plans["trapped"], views["a trap"] = layOut(func(in *enforce.Input) { in.Ask, in.Quiet = true, []string{"/run"} })
		plans["trapped and linked"], _ = layOut(func(in *enforce.Input) { in.Ask, in.Link = true, link })
	}
	for name, p := range plans {
		want := runAhead(t, p, nil)
		if !strings.Contains(want, "content\n") || p.Link != nil != strings.Contains(want, "eth0") || p.Trapped() != strings.Contains(want, "user_id=") {
			t.Fatalf("%s: it said:\n%s", name, want)
		}
		for what, view := range views {
			for how, l := range map[string]*enforce.LinkPlan{"no link": nil, "a link": link, "another link": other} {
				t.Run(name+" after "+what+" and "+how, func(t *testing.T) {
					if got := runAheadLinked(t, p, view, l); got != want {
						t.Error(cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
					}
				})
			}
		}
	}
}

// TestAheadNames: names lie in a mount that was made for them only where the plan
// has exactly these in it.
func TestAheadNames(t *testing.T) {
	dir := func(p string) enforce.Entry { return enforce.Entry{Op: enforce.OpDir, Path: p, Mode: 0o755} }
	tmpfs := func(p string) enforce.Entry {
		return enforce.Entry{Op: enforce.OpTmpfs, Path: p, Dir: true, Size: 4096}
	}
	bind := func(p string) enforce.Entry {
		return enforce.Entry{Op: enforce.OpBind, Path: p, Source: "/usr", Dir: true}
	}
	root := enforce.Entry{Op: enforce.OpTrap, Path: "/", Dir: true}
	made := []enforce.Entry{root, dir("/a"), tmpfs("/a"), dir("/a/b"), dir("/a/b/c"), bind("/a/b/c")}
	for name, c := range map[string]struct {
		plan []enforce.Entry
		left []string // to be made, by path
	}{
		"the same":             {made, []string{"/a", "/a/b/c"}},
		"a name more":          {append(slices.Clone(made), dir("/a/d")), []string{"/a", "/a/b/c", "/a/d"}},
		"a name less":          {made[:4], []string{"/a", "/a/b"}},
		"another kind":         {append(slices.Clone(made[:4]), enforce.Entry{Op: enforce.OpLink, Path: "/a/b/c", Source: "/"}), []string{"/a", "/a/b", "/a/b/c"}},
		"in another mount":     {[]enforce.Entry{root, dir("/a"), tmpfs("/a"), dir("/a/b"), bind("/a/b"), dir("/a/b/c")}, []string{"/a", "/a/b", "/a/b", "/a/b/c"}},
		"a mount on the mount": {append(slices.Clone(made[:3]), tmpfs("/a"), dir("/a/b"), dir("/a/b/c")), []string{"/a", "/a", "/a/b", "/a/b/c"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, left, _ := process.TakeAhead(made, enforce.Plan{View: c.plan})
			var paths []string
			for _, e := range left {
				paths = append(paths, e.Path)
			}
			if slices.Sort(paths); !slices.Equal(paths, c.left) {
				t.Errorf("left are %q, want %q", paths, c.left)
			}
		})
	}
}

// TestAheadDiscarded: what was made ahead goes with its process.
func TestAheadDiscarded(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	in := aheadInput(t, t.TempDir(), "true")
	in.Effective, in.Objects = nil, nil
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		tier := process.Begin(enforce.Outline(facts(t)), enforce.Stdio{In: null, Out: null, Err: null})
		tier.Ahead(enforce.Ahead(in), ends(false))
		tier.Discard()
	}
	var more string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		after, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		more = ""
		for line := range strings.Lines(string(after)) {
			if !strings.Contains(string(before), line) {
				more += line
			}
		}
		if more == "" { // those of others come and go
			break
		}
	}
	if more != "" {
		t.Errorf("the host has more mounts:\n%s", more)
	}
	text, err := os.ReadFile("/proc/thread-self/children")
	if err == nil && len(text) > 0 {
		t.Errorf("processes are left: %s", text)
	}
}
