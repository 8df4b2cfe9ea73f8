package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
)

// same fails where a page of what is at hand is not the page that the log has.
func same(t *testing.T, n *audit.Newest, dir string, most int, q audit.Query) {
	t.Helper()
	got, more, err := n.Page(most, q)
	if err != nil {
		t.Fatal(err)
	}
	want, wantMore, err := audit.Page(dir, most, q)
	if err != nil {
		t.Fatal(err)
	}
	equal := slices.EqualFunc(got, want, func(a, b audit.Record) bool {
		return a.Seq == b.Seq && a.ID == b.ID && string(a.Body) == string(b.Body) && a.Prev == b.Prev && a.Time.Equal(b.Time)
	})
	if !equal || more != wantMore {
		t.Errorf("%d of %+v: %v, more %v; the log has %v, %v", most, q, numbers(got), more, numbers(want), wantMore)
	}
}

// What is at hand is what the log has: while it is written, across segments, whatever is asked.
func TestNewest(t *testing.T) {
	t.Parallel()
	dir, l := smallLog(t)
	n := audit.NewNewest(dir)
	for i := range 12 {
		writeSessions(t, l, 7)
		for _, most := range []int{1, 5, 50, 200} {
			same(t, n, dir, most, audit.Query{})
			same(t, n, dir, most, audit.Query{Before: uint64(3 * i)})
			same(t, n, dir, most, audit.Query{Keep: func(r audit.Record) bool { return r.Seq%4 == 1 }})
			same(t, n, dir, most, audit.Query{Hints: []string{audit.HintSession("s-1")}, Keep: func(r audit.Record) bool { return r.Session == "s-1" }})
		}
	}
}

// What is not at hand any more is read from the log.
func TestNewestMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, audit.Options{}, 900, 100)
	n := audit.NewNewest(dir)
	for range 4 {
		same(t, n, dir, 50, audit.Query{})
		fill(t, dir, audit.Options{}, 500, 100)
	}
	same(t, n, dir, 50, audit.Query{})
	same(t, n, dir, 2000, audit.Query{})
	same(t, n, dir, 50, audit.Query{Before: 100})
	same(t, n, dir, 50, audit.Query{Keep: func(r audit.Record) bool { return r.Seq%100 == 1 }})
}

// A log that is not there yet has no page; one that takes the place of another is read anew,
// also where it is longer.
func TestNewestAnother(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "audit")
	n := audit.NewNewest(dir)
	if _, _, err := n.Page(5, audit.Query{}); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("a log that is not there: %v", err)
	}
	for _, many := range []int{40, 3, 300} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		fill(t, dir, audit.Options{}, many, 10)
		same(t, n, dir, 5, audit.Query{})
		same(t, n, dir, 50, audit.Query{})
	}
}

// Many who ask while somebody writes see pages without gaps, none older than what was
// committed before they asked.
func TestNewestAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, audit.Options{SegmentSize: 30_000}.WithDisk(noSync{audit.OSDisk}))
	writeSessions(t, l, 1)
	n := audit.NewNewest(dir).Keeping(30)
	slowly := audit.Query{Keep: func(r audit.Record) bool {
		if r.Seq%16 == 0 {
			time.Sleep(50 * time.Microsecond) // others go on meanwhile
		}
		return true
	}}
	var readers sync.WaitGroup
	ended := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for last, beside := uint64(0), n; ; beside = audit.NewNewest(dir) {
				for _, one := range []*audit.Newest{n, beside, beside} {
					page, _, err := one.Page(60, slowly)
					if err != nil || len(page) == 0 || page[0].Seq < last || !unbroken(page) {
						t.Errorf("%v after record %d, %v", numbers(page), last, err)
						return
					}
					last = page[0].Seq
				}
				select {
				case <-ended:
					return
				default:
				}
			}
		})
	}
	for range 150 {
		writeSessions(t, l, 10)
		page, _, err := n.Page(1, audit.Query{})
		if want, _, bad := audit.Page(dir, 1, audit.Query{}); err != nil || bad != nil || !slices.Equal(numbers(page), numbers(want)) {
			t.Fatalf("the newest is %v, %v; want %v, %v", numbers(page), err, numbers(want), bad)
		}
	}
	close(ended)
	readers.Wait()
}

// unbroken reports whether records follow each other, newest first.
func unbroken(page []audit.Record) bool {
	for i, r := range page {
		if r.Seq != page[0].Seq-uint64(i) {
			return false
		}
	}
	return true
}
