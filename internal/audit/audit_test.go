package audit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
)

// open opens a log that ends with the test.
func open(t testing.TB, dir string, opt audit.Options) *audit.Log {
	t.Helper()
	l, err := audit.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// decision is a record such as the gate writes.
func decision(t testing.TB, n int) audit.Record {
	t.Helper()
	r, err := audit.New(audit.DecisionBody{
		Program:    "/usr/bin/python3",
		Capability: audit.Text(fmt.Sprintf("fs.read:/home/u/file-%d", n)),
		Outcome:    "deny",
		Reasons:    []audit.ReasonBody{{Rule: "not granted", Text: "no grant covers it"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.ID, r.Session, r.Principal, r.Pack = fmt.Sprintf("d-%08d", n), "s-1", "user:u", "pack"
	return r
}

// fill makes a log of n decisions in commits of the given size.
func fill(t testing.TB, dir string, opt audit.Options, n, per int) {
	t.Helper()
	l := open(t, dir, opt)
	for i := 0; i < n; i += per {
		var group []audit.Record
		for j := i; j < min(n, i+per); j++ {
			group = append(group, decision(t, j))
		}
		if _, err := l.Append(t.Context(), group...); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
}

func verify(t testing.TB, dir string) audit.VerifyResult {
	t.Helper()
	res, err := audit.Verify(dir, audit.VerifyOptions{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	return res
}

func TestAppend(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "audit")
	l := open(t, dir, audit.Options{})
	want := decision(t, 7)
	got, err := l.Append(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Seq != 2 || got[0].Prev == "" || time.Since(got[0].Time) > time.Minute {
		t.Errorf("got %+v, want record 2 with a time and a prev", got)
	}
	var kinds []audit.Kind
	for r, err := range audit.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, r.Kind)
		if _, err := r.Decode(); err != nil {
			t.Error(err)
		}
	}
	if fmt.Sprint(kinds) != "[log.open decision]" {
		t.Errorf("got kinds %v", kinds)
	}
	if r, err := audit.Find(dir, want.ID); err != nil || r.Seq != 2 {
		t.Errorf("find: got %+v, %v", r, err)
	}
	if res := verify(t, dir); res.Records != 2 || res.Uncommitted != 0 {
		t.Errorf("verify: got %+v", res)
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, "key": 0o600, "00000001.log": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q: got %v, %v, want mode %#o", name, info.Mode(), err, mode)
		}
	}
}

func TestSegments(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, audit.Options{SegmentSize: 2000}, 100, 3)
	fill(t, dir, audit.Options{SegmentSize: 2000}, 50, 1)
	res := verify(t, dir)
	if res.Records != 151 || res.Segments < 20 {
		t.Errorf("got %+v, want 151 records in many segments", res)
	}
	n := uint64(0)
	for r, err := range audit.Read(dir) {
		if n++; err != nil || r.Seq != n {
			t.Fatalf("record %d: got %d, %v", n, r.Seq, err)
		}
	}
}

// TestHammerAppend has several logs of one folder, as processes have them, and
// several goroutines in each append at once.
func TestHammerAppend(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	const logs, routines, each = 4, 4, 25
	for range logs {
		l := open(t, dir, audit.Options{SegmentSize: 20000})
		for range routines {
			wg.Go(func() {
				for i := range each {
					if _, err := l.Append(context.Background(), decision(t, i), decision(t, i)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if res := verify(t, dir); res.Records != 1+2*logs*routines*each {
		t.Errorf("got %d records", res.Records)
	}
}
