package probe_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/probe"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/view"
)

// compile makes plans for this test program, as the command line does for its
// own, and then breaks them.
func compile(t *testing.T, damage func(*enforce.Plan)) func(probe.Scenario) (enforce.Plan, error) {
	t.Helper()
	return func(s probe.Scenario) (enforce.Plan, error) {
		abi, err := landlock.ABI()
		if err != nil {
			return enforce.Plan{}, err
		}
		s.Limits.PIDs = 0 // as root it needs a control group, which is another test's
		who := view.Who{Name: "tester", UID: os.Getuid(), GID: os.Getgid()}
		b, err := view.Base(who)
		if err != nil {
			return enforce.Plan{}, err
		}
		program, err := view.Executables(self(t), nil)
		if err != nil {
			return enforce.Plan{}, err
		}
		in := enforce.Input{Session: "s-test", Base: b, Executables: program, AdHoc: !s.NoSpawn, Home: enforce.HomeNone, Limits: s.Limits,
			Program: enforce.Program{Path: program[0].Path, Argv: append([]string{"ambit"}, s.Argv...), Dir: "/", Env: []string{"PATH=/usr/bin"}}}
		if s.Read != "" {
			o, err := view.Resolve(s.Read)
			if err != nil {
				return enforce.Plan{}, err
			}
			in.Volumes = append(in.Volumes, enforce.Volume{Source: o, Target: s.Read})
		}
		p, err := enforce.Compile(in, enforce.Facts{UID: who.UID, GID: who.GID, UserNamespace: true, LandlockABI: abi})
		if err == nil {
			damage(&p)
		}
		return p, err
	}
}

// Each layer is taken out of the plan, one at a time. Either the tier refuses
// to start, or the probe finds that layer, and says so of it.
func TestBrokenLayers(t *testing.T) {
	without := func(name string) func(*enforce.Plan) {
		return func(p *enforce.Plan) {
			p.Namespaces = slices.DeleteFunc(p.Namespaces, func(n string) bool { return n == name })
		}
	}
	for _, tc := range []struct {
		name   string
		damage func(*enforce.Plan)
		layer  string // the beginning of its name; "" if nothing is broken
	}{
		{"nothing", func(*enforce.Plan) {}, ""},
		{"network namespace", without("net"), "network"},
		{"pid namespace", without("pid"), "processes"},
		{"a folder too many", func(p *enforce.Plan) {
			dir := os.TempDir() //nolint:usetesting // the folder that has the bait
			p.View = append(p.View, enforce.Entry{Op: enforce.OpBind, Path: "/mnt", Source: dir, Dir: true})
			secretsAt(p, dir)
		}, "files: what was not granted"},
		{"writable where it was read-only", func(p *enforce.Plan) {
			for i := range p.View {
				if strings.HasSuffix(p.View[i].Path, "/granted") {
					p.View[i].Write = true
				}
			}
		}, "files: read-only"},
		{"no bound on open files", func(p *enforce.Plan) { p.Limits.FDs = 0 }, "limits: open files"},
		{"no bound on memory", func(p *enforce.Plan) { p.Limits.Memory, p.Limits.Weaker = 0, nil }, "limits: memory"},
		{"spawning", func(p *enforce.Plan) {
			p.Filter.NoSpawn, p.Filter.LimitExec, p.Landlock.LimitExecute = false, false, false
		}, "programs"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := find(t, process.Tier{}, compile(t, tc.damage))
			refused := found[len(found)-1].Layer == "sandbox"
			seen := refused
			for _, f := range found {
				seen = seen || strings.HasPrefix(f.Layer, tc.layer)
				switch {
				case raceDetector && f.Layer == "limits: memory":
				case refused && tc.layer != "":
					t.Logf("refused: %s", f.Detail)
				case tc.layer != "" && strings.HasPrefix(f.Layer, tc.layer):
					if f.State != probe.Fails {
						t.Errorf("%s: %s: %s", f.Layer, f.State, f.Detail)
					}
				case tc.layer == "" && f.State == probe.Fails:
					t.Errorf("%s: %s: %s", f.Layer, f.State, f.Detail)
				}
			}
			if !seen {
				t.Errorf("neither refused nor looked at: %+v", found)
			}
		})
	}
}

// secretsAt shows a folder of the host at its own path.
func secretsAt(p *enforce.Plan, dir string) {
	var st unix.Stat_t
	if unix.Stat(dir, &st) != nil {
		return
	}
	p.View = slices.DeleteFunc(p.View, func(e enforce.Entry) bool {
		return e.Path == "/mnt" || strings.HasPrefix(e.Path, dir+"/") || e.Path == dir
	})
	p.View = append(p.View,
		enforce.Entry{Op: enforce.OpDir, Path: dir, Mode: 0o755},
		enforce.Entry{Op: enforce.OpBind, Path: dir, Source: dir, Dir: true, Exec: true, Dev: st.Dev, Ino: st.Ino})
	for d := filepath.Dir(dir); d != "/"; d = filepath.Dir(d) {
		if !slices.ContainsFunc(p.View, func(e enforce.Entry) bool { return e.Path == d }) {
			p.View = slices.Insert(p.View, 0, enforce.Entry{Op: enforce.OpDir, Path: d, Mode: 0o755})
		}
	}
}
