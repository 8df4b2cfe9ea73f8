package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
)

// writeSessions writes n records, of one session after the other.
func writeSessions(t *testing.T, l *audit.Log, n int) {
	t.Helper()
	for i := range n {
		r, err := audit.New(audit.DecisionBody{Capability: audit.Text(capabilityOf(i)), Outcome: []string{"allow", "deny"}[i%2]})
		if err != nil {
			t.Fatal(err)
		}
		r.ID, r.Session = audit.NewID("d"), fmt.Sprintf("s-%d", i%3)
		if _, err := l.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// capabilityOf is a capability, some of them such that JSON spells in another way.
func capabilityOf(i int) string {
	switch i % 10 {
	case 7:
		return fmt.Sprintf("fs.read:/odd\xff%d", i)
	case 8:
		return fmt.Sprintf("fs.read:/\"%d", i)
	}
	return fmt.Sprintf("fs.read:/%d", i)
}

func numbers(records []audit.Record) (all []uint64) {
	for _, r := range records {
		all = append(all, r.Seq)
	}
	return all
}

// Pages, one after the other, are the whole log, newest first and each record once,
// whatever is asked for.
func TestPages(t *testing.T) {
	t.Parallel()
	dir, l := smallLog(t)
	writeSessions(t, l, 40)
	var times []time.Time
	for r, err := range audit.Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, r.Time)
	}
	begins := func(text string) func(audit.Record) bool {
		return func(r audit.Record) bool {
			b, err := r.Decode()
			d, ok := b.(*audit.DecisionBody)
			return err == nil && ok && strings.HasPrefix(string(d.Capability), text)
		}
	}
	for name, q := range map[string]audit.Query{
		"all":        {},
		"a session":  {Hints: []string{audit.HintSession("s-1")}, Keep: func(r audit.Record) bool { return r.Session == "s-1" }},
		"since":      {Since: times[11]},
		"until":      {Until: times[30]},
		"between":    {Since: times[11], Until: times[30]},
		"never":      {Until: times[0]},
		"capability": {Any: audit.AnyCapability("fs.read:/1"), Keep: begins("fs.read:/1")},
		"no UTF-8":   {Any: audit.AnyCapability("fs.read:/odd"), Keep: begins("fs.read:/odd")},
		"escaped":    {Any: audit.AnyCapability(`fs.read:/"`), Keep: begins(`fs.read:/"`)},
		"outcome":    {Hints: []string{audit.HintOutcome("deny")}, Keep: func(r audit.Record) bool { return strings.Contains(string(r.Body), `"outcome":"deny"`) }},
	} {
		var want, got []uint64
		for r, err := range audit.Read(dir) {
			if err != nil {
				t.Fatal(err)
			}
			if (q.Keep == nil || q.Keep(r)) && !r.Time.Before(q.Since) && (q.Until.IsZero() || r.Time.Before(q.Until)) {
				want = append(want, r.Seq)
			}
		}
		slices.Reverse(want)
		if len(want) == 0 && name != "never" {
			t.Errorf("%s: there is nothing to be found", name)
		}
		for more := true; more; {
			page, next, err := audit.Page(dir, 7, q)
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, numbers(page)...); next && len(page) != 7 {
				t.Fatalf("%s: a page of %d records says that there are more", name, len(page))
			}
			for _, r := range page {
				if at, err := audit.At(dir, r.Seq); err != nil || string(at.Body) != string(r.Body) {
					t.Errorf("%s: record %d is %s on the page, %s by its number, %v", name, r.Seq, r.Body, at.Body, err)
				}
			}
			if more = next; more {
				q.Before = page[len(page)-1].Seq
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: pages have %v, want %v", name, got, want)
		}
	}
}

// The newest of a segment that is long are found by its end, and all of it where they are few.
func TestPageTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill(t, dir, audit.Options{}, 2000, 100)
	for name, c := range map[string]struct {
		q    audit.Query
		want int
	}{
		"newest": {audit.Query{}, 50},
		"few":    {audit.Query{Keep: func(r audit.Record) bool { return r.Seq%100 == 1 }}, 21},
	} {
		page, _, err := audit.Page(dir, 50, c.q)
		if err != nil || len(page) != c.want {
			t.Fatalf("%s: %d records, %v; want %d", name, len(page), err, c.want)
		}
		last, err := audit.Last(dir, 50, func(r audit.Record) bool { return c.q.Keep == nil || c.q.Keep(r) })
		slices.Reverse(last)
		if err != nil || !slices.Equal(numbers(page), numbers(last)) {
			t.Errorf("%s: %v, want %v, %v", name, numbers(page), numbers(last), err)
		}
	}
}

// What no head follows is on no page, as it is nowhere else.
func TestPageTorn(t *testing.T) {
	t.Parallel()
	dir, l := smallLog(t)
	writeSessions(t, l, 5)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	before, _, err := audit.Page(dir, 100, audit.Query{})
	if err != nil || len(before) != 6 {
		t.Fatalf("%d records, %v", len(before), err)
	}
	segments, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	last := segments[len(segments)-1]
	text, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	begin := strings.LastIndex(strings.TrimSuffix(string(text), "\n"), "\n") + 1
	for _, more := range []string{"x", strings.Split(string(text), "\n")[0] + "\n", string(text[begin : len(text)-1])} {
		if err := os.WriteFile(last, append(slices.Clone(text), more...), 0o600); err != nil {
			t.Fatal(err)
		}
		after, _, err := audit.Page(dir, 100, audit.Query{})
		if err != nil || !slices.Equal(numbers(after), numbers(before)) {
			t.Errorf("behind the last head stands %.20q: %v, %v; want %v", more, numbers(after), err, numbers(before))
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
