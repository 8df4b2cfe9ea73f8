package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
)

// person answers questions by a function and counts them.
type person struct {
	answer func(approval.Question) approval.Answer
	asked  atomic.Int32
	last   atomic.Pointer[approval.Question]
}

func (*person) Name() string { return "person" }

func (p *person) Ask(ctx context.Context, q approval.Question) (approval.Answer, error) {
	p.asked.Add(1)
	p.last.Store(&q)
	if p.answer == nil {
		<-ctx.Done()
		return approval.Answer{}, ctx.Err()
	}
	return p.answer(q), nil
}

// yes chooses an offer by its place.
func yes(i int, span grant.Span) func(approval.Question) approval.Answer {
	return func(q approval.Question) approval.Answer {
		return approval.Answer{Outcome: grant.Allow, Capability: q.Offers[i].Capability, Span: span}
	}
}

func no(span grant.Span) func(approval.Question) approval.Answer {
	return func(approval.Question) approval.Answer { return approval.Answer{Span: span} }
}

// touching is a session with a real store, log and gate, over real files.
type touching struct {
	*toucher
	t    testing.TB
	home string
	p    *person
	err  *os.File
}

// newTouching makes one; wants are what a pack declares, none is an ad hoc run.
func newTouching(t testing.TB, p *person, timeout time.Duration, wants ...string) *touching {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(root, "home")
	for _, dir := range []string{"proj/sub", ".ssh", "bin"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"notes.txt", "proj/a.txt", "proj/b.txt", ".ssh/id_rsa", "bin/tool"} {
		if err := os.WriteFile(filepath.Join(home, file), []byte("x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	errOut, err := os.Create(filepath.Join(root, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	a := &app{in: os.Stdin, out: errOut, err: errOut, now: time.Now, stateDir: filepath.Join(home, "state")}
	a.database.Path = besideTest(t)
	s := a.begin(&runFlags{ask: askQueue, askTimeout: timeout}, []string{"true"})
	t.Cleanup(s.close)
	if s.base, err = base(); err != nil {
		t.Fatal(err)
	}
	s.subject.Principal, s.subject.Session = operator(), "s-test"
	s.manifest = manifest.AdHoc(nil)
	s.input = enforce.Input{HomePath: home, AdHoc: true, Objects: map[string][]enforce.Object{}}
	s.spec.Plan.Tier = "process"
	if len(wants) > 0 {
		s.manifest, s.subject.Pack, s.packDir = manifest.Manifest{ID: "org.example.p", Name: "p"}, "org.example.p", home
		for _, w := range wants {
			s.manifest.Wants = append(s.manifest.Wants, manifest.Want{Capability: parseFor(t, w, s.base), Reason: "because"})
		}
	}
	if err := s.protectState(); err != nil {
		t.Fatal(err)
	}
	tc := &touching{t: t, home: home, p: p, err: errOut}
	tc.toucher = s.newToucher(&session.Tally{}, func(say func()) { say() })
	tc.desk = approval.New(approval.Config{Fronts: []approval.Front{p}, Timeout: timeout, Keep: tc.keep, Settled: tc.settled})
	return tc
}

func parseFor(t testing.TB, text string, b capability.Base) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err == nil {
		c, err = c.Resolve(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// touch is a first contact with something of the home.
func (tc *touching) touch(kind enforce.TouchKind, name string) enforce.Touch {
	tc.t.Helper()
	path := filepath.Join(tc.home, name)
	if filepath.IsAbs(name) {
		path = name
	}
	fi, err := os.Lstat(path)
	if err != nil {
		tc.t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	return enforce.Touch{Kind: kind, Path: path, Dir: fi.IsDir(), Dev: st.Dev, Ino: st.Ino, PID: 7, Program: "cat", Argv: []string{"cat", name}, Call: "open"}
}

// store keeps a grant, as another process would.
func (tc *touching) store(text string, o grant.Outcome, span grant.Span) grant.Grant {
	tc.t.Helper()
	db, err := tc.s.store.get()
	if err != nil {
		tc.t.Fatal(err)
	}
	g := grant.Grant{ID: audit.NewID("g"), Principal: operator(), Pack: tc.s.subject.Pack, Capability: parseFor(tc.t, text, tc.s.base),
		Outcome: o, Lifespan: grant.Lifespan{Span: span}, Created: time.Now()}
	if err := db.AddGrant(tc.t.Context(), g); err != nil {
		tc.t.Fatal(err)
	}
	return g
}

// stored are the grants that stand.
func (tc *touching) stored() []grant.Grant {
	tc.t.Helper()
	db, err := tc.s.store.get()
	if err != nil {
		tc.t.Fatal(err)
	}
	all, err := db.Grants(tc.t.Context(), operator(), tc.s.subject.Pack)
	if err != nil {
		tc.t.Fatal(err)
	}
	return all
}

// records are the bodies of one kind in the log.
func (tc *touching) records(kind audit.Kind) (all []audit.Record) {
	tc.t.Helper()
	for r, err := range audit.Read(filepath.Join(tc.home, "state", "audit")) {
		if err != nil {
			tc.t.Fatal(err)
		}
		if r.Kind == kind {
			all = append(all, r)
		}
	}
	return all
}

// said is what was printed so far.
func (tc *touching) said() string {
	text, err := os.ReadFile(tc.err.Name())
	if err != nil {
		tc.t.Fatal(err)
	}
	return string(text)
}

// shows are the paths of an answer, with their rights.
func (tc *touching) shows(a enforce.Answer) string {
	var all []string
	for _, e := range a.Show {
		rel, _ := filepath.Rel(tc.home, e.Path)
		text := string(e.Op) + " " + rel
		if e.Write {
			text += " w"
		}
		if e.Exec {
			text += " x"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}
