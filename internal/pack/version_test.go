package pack_test

import (
	"testing"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/pack"
)

// TestCompareVersions holds the order of versions: each is older than those behind it.
func TestCompareVersions(t *testing.T) {
	order := []string{"", "0", "0.9", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-rc.1", "1.0.0",
		"1.0.1", "1.2", "1.9.9", "1.10", "2", "2.0.0.1", "2026.3.1", "2026.11.03", "99999999999999999999999.0"}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got, ok := pack.CompareVersions(a, b); !ok || got != want {
				t.Errorf("%q and %q: %d, %v; want %d", a, b, got, ok, want)
			}
		}
	}
	for _, same := range [][2]string{{"1", "1.0.0"}, {"v1.2", "1.2"}, {"1.2+a", "1.2+b"}, {"1.02", "1.2"}, {"stable", "stable"}, {"a b", "a b"}} {
		if got, ok := pack.CompareVersions(same[0], same[1]); !ok || got != 0 {
			t.Errorf("%q: %d, %v", same, got, ok)
		}
	}
	for _, none := range [][2]string{{"stable", "1.0"}, {"1.0", "stable"}, {"a", "b"}, {"1..2", "1"}, {"1.x", "1"}, {"1-", "1"}, {"1-a..b", "1"}, {"-1", "1"}, {"", "x"}, {"1 ", "1"}, {"١", "1"}} {
		if got, ok := pack.CompareVersions(none[0], none[1]); ok {
			t.Errorf("%q have an order: %d", none, got)
		}
	}
}

// TestVersionLaws: it is an order, whichever way round it is asked.
func TestVersionLaws(t *testing.T) {
	version := rapid.StringMatching(`(v?[0-9]{1,3}(\.[0-9]{1,2}){0,3}(-[0-9a-c]{1,2}(\.[0-9a-c]{1,2}){0,2})?(\+x)?)?|[a-z]{1,3}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")
		ab, ok := pack.CompareVersions(a, b)
		ba, back := pack.CompareVersions(b, a)
		if ok != back || ab != -ba {
			t.Fatalf("%q and %q: %d, %v and %d, %v", a, b, ab, ok, ba, back)
		}
		bc, okBC := pack.CompareVersions(b, c)
		ac, okAC := pack.CompareVersions(a, c)
		if ok && okBC && okAC && ab <= 0 && bc <= 0 && (ac > 0 || ac == 0 && (ab != 0 || bc != 0)) {
			t.Fatalf("%q, %q, %q: %d, %d and %d", a, b, c, ab, bc, ac)
		}
	})
}
