package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
)

// aSession is one that only knows what its view shows.
type aSession struct {
	enforce.Session
	shows  []string
	open   []enforce.Open
	killed bool
	hidden func() // called when something is; nil: nothing is
}

func (v *aSession) Hide(paths ...string) ([][]enforce.Open, error) {
	v.shows = slices.DeleteFunc(v.shows, func(s string) bool { return slices.Contains(paths, s) })
	open := make([][]enforce.Open, len(paths))
	for i := range open {
		open[i] = v.open
	}
	if v.hidden != nil {
		v.hidden()
	}
	return open, nil
}

func (v *aSession) Kill() error {
	v.killed = true
	return nil
}

// rechecked is a session that has touched a file, which is granted for good.
func rechecked(t *testing.T, name string) (tc *touching, r *rechecker, v *aSession, path string) {
	t.Helper()
	tc = newTouching(t, &person{answer: yes(0, grant.Always)}, time.Minute)
	path = filepath.Join(tc.home, name)
	if a := tc.Touched(t.Context(), tc.touch(enforce.TouchRead, name)); !a.Allow {
		t.Fatal("the touch is refused")
	}
	v = &aSession{shows: []string{path}}
	r = tc.s.newRechecker()
	r.inside, r.shown, r.forget, r.replaced, r.grants = v, tc.shown, tc.forget, tc.replaced, tc.grants
	return tc, r, v, path
}

func (tc *touching) revoke(ctx context.Context) []grant.Grant {
	tc.t.Helper()
	db, err := tc.s.store.get()
	if err != nil {
		tc.t.Fatal(err)
	}
	for _, g := range tc.stored() {
		if g.Outcome == grant.Allow {
			if _, err := db.RevokeGrant(ctx, g.ID, time.Now()); err != nil {
				tc.t.Fatal(err)
			}
		}
	}
	left, err := tc.grants(ctx)
	if err != nil {
		tc.t.Fatal(err)
	}
	return left
}

// What was decided just before a revocation, and is shown just after what it
// gave was taken away, is taken away too.
func TestRecheckShownMeanwhile(t *testing.T) {
	tc, r, v, path := rechecked(t, "notes.txt")
	r.take(t.Context(), tc.revoke(t.Context()))
	if len(v.shows) != 0 {
		t.Fatalf("still shown: %q", v.shows)
	}
	v.shows = []string{path} // by the touch that was on its way
	r.loseAgain(t.Context())
	if len(v.shows) != 0 {
		t.Errorf("still shown: %q", v.shows)
	}
	// What is granted anew stays.
	tc.store("fs.read:"+path, grant.Allow, grant.Always)
	v.shows = []string{path}
	r.loseAgain(t.Context())
	if len(v.shows) != 1 {
		t.Error("what was granted anew is taken away")
	}
	for range lostLooks {
		r.loseAgain(t.Context())
	}
	if len(r.lost) != 0 || v.killed {
		t.Errorf("%d are still looked at, killed %v", len(r.lost), v.killed)
	}
}

// What was taken away is recorded, also where the program ended of it at once.
func TestRecheckEnds(t *testing.T) {
	tc, r, v, path := rechecked(t, "notes.txt")
	grants := tc.revoke(t.Context())
	ctx, end := context.WithCancel(t.Context())
	v.hidden = end
	r.take(ctx, grants)
	all := tc.records(audit.GrantEffect)
	if len(all) != 1 || !strings.Contains(string(all[0].Body), path) || v.killed {
		t.Errorf("%d records, killed %v", len(all), v.killed)
	}
}

// A file that was replaced is let go of, and shown anew at its next touch.
func TestRecheckReplaced(t *testing.T) {
	tc, r, v, path := rechecked(t, "notes.txt")
	r.letGo()
	if len(v.shows) != 1 {
		t.Fatal("a file that is what it was is let go of")
	}
	if err := os.WriteFile(path+".new", []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	r.letGo()
	if len(v.shows) != 0 {
		t.Errorf("still shown: %q", v.shows)
	}
	for c, objects := range tc.shown() {
		if c.Kind() == capability.FSRead && len(objects) > 0 {
			t.Errorf("still known: %s %+v", c, objects)
		}
	}
	now := tc.touch(enforce.TouchRead, "notes.txt")
	if a := tc.Touched(t.Context(), now); !a.Allow || a.Show[0].Ino != now.Ino || tc.p.asked.Load() != 1 {
		t.Errorf("the next touch: %+v, asked %d times", a, tc.p.asked.Load())
	}
	// A note about the old object leaves the new one alone.
	tc.replaced(capability.Capability{}, enforce.Object{Path: path})
	v.shows = []string{path}
	r.letGo()
	if len(v.shows) != 1 {
		t.Error("the new one is let go of")
	}
}

// What a program has open is told, however much it is, in few words.
func TestRecheckManyOpen(t *testing.T) {
	tc, r, v, path := rechecked(t, "notes.txt")
	for i := range 5000 {
		v.open = append(v.open, enforce.Open{PID: i, Program: "cat", What: "descriptor 3", Path: path})
	}
	r.take(t.Context(), tc.revoke(t.Context()))
	if text := tc.said(); strings.Count(text, "descriptor 3") != maxHeldSaid || !strings.Contains(text, "and 4990 more") {
		t.Errorf("it says %q", text)
	}
	records := tc.records(audit.GrantEffect)
	if len(records) != 1 {
		t.Fatalf("%d records", len(records))
	}
	b, err := records[0].Decode()
	if e, ok := b.(*audit.EffectBody); err != nil || !ok || len(e.Open) != maxHeld || e.More != 5000-maxHeld || e.Reason != string(decision.NotGranted) {
		t.Errorf("%v: %+v", err, b)
	}
}
