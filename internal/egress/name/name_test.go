package name_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/egress/name"
)

func TestWithin(t *testing.T) {
	for _, tc := range []struct {
		base, name string
		want       bool
	}{
		{"example.com", "a.example.com", true}, {"example.com", "a.b.example.com", true}, {"example.com", "example.com", false},
		{"example.com", "evil-example.com", false}, {"example.com", "example.com.evil.test", false},
		{"com", "example.com", false}, {"co.uk", "a.co.uk", false}, {"uk", "a.co.uk", false}, {"github.io", "a.github.io", false},
		{"a.github.io", "b.a.github.io", true}, {"amazonaws.com", "bucket.s3.amazonaws.com", false}, {"amazonaws.com", "www.amazonaws.com", true},
		{"test", "a.test", false}, {"a.test", "b.a.test", true}, {"", "a.test", false},
	} {
		if got := name.Within(tc.base, tc.name); got != tc.want {
			t.Errorf("*.%s for %s: %v", tc.base, tc.name, got)
		}
	}
	for base, want := range map[string]bool{"com": true, "co.uk": true, "github.io": true, "s3.amazonaws.com": true, "example.com": false, "pypi.org": false, "corp": true, "db.corp": false} {
		if got := name.Suffix(base); got != want {
			t.Errorf("suffix %s: %v", base, got)
		}
	}
}

// clock is moved by hand.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newClock() *clock { return &clock{time.Unix(1e9, 0)} }

func address(t testing.TB, table *name.Table, n string) netip.Addr {
	t.Helper()
	a, err := table.Address(n)
	if err != nil {
		t.Fatalf("%s: %v", n, err)
	}
	return a
}

func TestTableReuse(t *testing.T) {
	c := newClock()
	table := name.NewTable(2, c.now)
	a, b := address(t, table, "a.test"), address(t, table, "b.test")
	if a == b || !name.Pool.Contains(a) || address(t, table, "a.test") != a {
		t.Fatalf("addresses %s, %s", a, b)
	}
	if _, err := table.Address("c.test"); !errors.Is(err, name.ErrFull) {
		t.Errorf("a third name: %v", err)
	}
	got, release, ok := table.Hold(a)
	if !ok || got != "a.test" {
		t.Fatalf("held %q, %v", got, ok)
	}
	c.at = c.at.Add(name.Grace)
	if got := address(t, table, "c.test"); got != b {
		t.Errorf("c.test got %s, want that of the unused b.test, %s", got, b)
	}
	if got, _ := table.Name(b); got != "c.test" {
		t.Errorf("%s means %q", b, got)
	}
	if _, err := table.Address("d.test"); !errors.Is(err, name.ErrFull) {
		t.Errorf("an address with a flow, and a fresh one, were to give: %v", err)
	}
	release()
	c.at = c.at.Add(name.Grace - 1)
	if got, _ := table.Name(a); got != "a.test" {
		t.Errorf("%s means %q", a, got)
	}
	address(t, table, "c.test")
	if _, err := table.Address("d.test"); !errors.Is(err, name.ErrFull) {
		t.Errorf("grace does not begin with the end of the flow: %v", err)
	}
	c.at = c.at.Add(1)
	if got := address(t, table, "d.test"); got != a {
		t.Errorf("d.test got %s", got)
	}
	if _, _, ok := table.Hold(netip.MustParseAddr("198.18.9.9")); ok {
		t.Error("an address that was never given out was held")
	}
}

// TestTableLaws: whatever the order of use, the table stays bounded, one address
// means one name, and none changes while it is held or in its grace.
func TestTableLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		table := name.NewTable(limit, c.now)
		type seen struct {
			name string
			at   time.Time
		}
		last := map[netip.Addr]seen{} // what each address meant, and its last use
		held := map[netip.Addr][]func(){}
		t.Repeat(map[string]func(*rapid.T){
			"lookup": func(t *rapid.T) {
				n := fmt.Sprintf("%d.test", rapid.IntRange(0, 6).Draw(t, "name"))
				a, err := table.Address(n)
				if err != nil {
					return
				}
				if old, ok := last[a]; ok && old.name != n && (len(held[a]) > 0 || c.at.Sub(old.at) < name.Grace) {
					t.Fatalf("%s meant %s and means %s", a, old.name, n)
				}
				last[a] = seen{n, c.at}
			},
			"hold": func(t *rapid.T) {
				for a, s := range last {
					got, release, ok := table.Hold(a)
					if !ok || got != s.name {
						t.Fatalf("%s means %q, %v; want %q", a, got, ok, s.name)
					}
					held[a] = append(held[a], release)
					break
				}
			},
			"release": func(*rapid.T) {
				for a, l := range held {
					if len(l) > 0 {
						l[0]()
						held[a] = l[1:]
						last[a] = seen{last[a].name, c.at}
						break
					}
				}
			},
			"wait": func(t *rapid.T) { c.at = c.at.Add(time.Duration(rapid.IntRange(1, 700).Draw(t, "s")) * time.Second) },
			"": func(t *rapid.T) {
				if table.Len() > limit {
					t.Fatalf("%d names, limit %d", table.Len(), limit)
				}
			},
		})
	})
}

// TestManyNames: the addresses of ten thousand names are distinct, and none is of
// the link.
func TestManyNames(t *testing.T) {
	const n = 10_000
	table := name.NewTable(n, newClock().now)
	got := map[netip.Addr]bool{}
	for i := range n {
		a := address(t, table, fmt.Sprintf("n%d.test", i))
		if got[a] || name.Link.Contains(a) {
			t.Fatalf("%s twice, or of the link", a)
		}
		got[a] = true
	}
	if _, err := table.Address("one.more.test"); !errors.Is(err, name.ErrFull) {
		t.Errorf("one more: %v", err)
	}
}

func TestHammerTable(t *testing.T) {
	table := name.NewTable(8, time.Now)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 2000 {
				a, err := table.Address(fmt.Sprintf("%d.test", (i+j)%10))
				if err != nil {
					continue
				}
				if _, release, ok := table.Hold(a); ok {
					release()
				}
			}
		})
	}
	all.Wait()
	if table.Len() > 8 {
		t.Errorf("%d names", table.Len())
	}
}

func BenchmarkFullTable(b *testing.B) {
	table := name.NewTable(10_000, time.Now)
	for i := range 10_000 {
		address(b, table, fmt.Sprintf("n%d.test", i))
	}
	for b.Loop() {
		if _, err := table.Address("x.test"); err == nil {
			b.Fatal("not full")
		}
	}
}
