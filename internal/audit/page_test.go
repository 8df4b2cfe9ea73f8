package audit_test

import (
	"fmt"
	"slices"
	"testing"

	"ambit.dev/ambit/internal/audit"
)

// writeSessions writes n records, of one session after the other.
func writeSessions(t *testing.T, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		r, err := audit.New(audit.DecisionBody{Capability: audit.Text(fmt.Sprintf("fs.read:/%d", i)), Outcome: "allow"})
		if err != nil {
			t.Fatal(err)
		}
		r.ID, r.Session = audit.NewID("d"), fmt.Sprintf("s-%d", i%3)
		if _, err := l.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func numbers(records []audit.Record) (all []uint64) {
	for _, r := range records {
		all = append(all, r.Seq)
	}
	return all
}

// Pages, one after the other, are the whole log, newest first and each record once.
func TestPages(t *testing.T) {
	t.Parallel()
	dir, l := smallLog(t)
	writeSessions(t, l, 40)
	for _, q := range []audit.Query{{}, {Hints: []string{audit.HintSession("s-1")}, Keep: func(r audit.Record) bool { return r.Session == "s-1" }}} {
		var want, got []uint64
		for r, err := range audit.Read(dir) {
			if err != nil {
				t.Fatal(err)
			}
			if q.Keep == nil || q.Keep(r) {
				want = append(want, r.Seq)
			}
		}
		slices.Reverse(want)
		for more := true; more; {
			page, next, err := audit.Page(dir, 7, q)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, numbers(page)...); next && len(page) != 7 {
				t.Fatalf("a page of %d records says that there are more", len(page))
			}
			if more = next; more {
				q.Before = page[len(page)-1].Seq
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages have %v, want %v", got, want)
		}
	}
}

// Who follows the log sees every record that is written from then on, once and in
// order, across segments.
func TestFollow(t *testing.T) {
	t.Parallel()
	dir, l := smallLog(t)
	writeSessions(t, l, 5)
	f, err := audit.Follow(dir)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := f.Next(); err != nil || len(all) != 0 {
		t.Fatalf("at the end there are %v, %v", numbers(all), err)
	}
	var got, want []uint64
	for range 10 {
		writeSessions(t, l, 4)
		for {
			all, err := f.Next()
			if err != nil {
				t.Fatal(err)
			}
			if len(all) == 0 {
				break
			}
			got = append(got, numbers(all)...)
		}
	}
	for i := range uint64(40) {
		want = append(want, 7+i) // one opened the log
	}
	if !slices.Equal(got, want) {
		t.Errorf("followed %v, want %v", got, want)
	}
}

// A log that is not there yet is followed from its first record on.
func TestFollowFromNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/audit"
	f, err := audit.Follow(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(dir, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	writeSessions(t, l, 1)
	if all, err := f.Next(); err != nil || len(all) != 2 || all[0].Kind != audit.LogOpen {
		t.Errorf("found %v, %v; want the record that opened it, and one more", all, err)
	}
}

// smallLog is a log of small segments, so that there are several.
func smallLog(t *testing.T) (dir string, l *audit.Log) {
	t.Helper()
	dir = t.TempDir()
	l, err := audit.Open(dir, audit.Options{SegmentSize: 3000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return dir, l
}
