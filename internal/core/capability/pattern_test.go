package capability_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
)

// obvious is the matcher that a person would write down from the rules, with no
// regard for time: names against the segments of a pattern below /r. It
// understands the characters that the generators below use.
func obvious(segs, names []string, beneath bool) bool {
	switch {
	case len(segs) == 0:
		return beneath || len(names) == 0
	case segs[0] == "**":
		return obvious(segs[1:], names, beneath) || len(names) > 0 && obvious(segs, names[1:], beneath)
	default:
		return len(names) > 0 && obviousName(segs[0], names[0]) && obvious(segs[1:], names[1:], beneath)
	}
}

func obviousName(seg, name string) bool {
	if seg == "" {
		return name == ""
	}
	if seg[0] == '*' {
		return obviousName(seg[1:], name) || name != "" && obviousName(seg, name[1:])
	}
	if name == "" {
		return false
	}
	switch {
	case seg[0] == '?':
		return obviousName(seg[1:], name[1:])
	case strings.HasPrefix(seg, "[!"):
		return name[0] != seg[2] && obviousName(seg[4:], name[1:])
	case seg[0] == '[':
		return (name[0] == seg[1] || name[0] == seg[2]) && obviousName(seg[4:], name[1:])
	default:
		return seg[0] == name[0] && obviousName(seg[1:], name[1:])
	}
}

// sequences returns all sequences of up to n words.
func sequences(words []string, n int) [][]string {
	all := [][]string{nil}
	for from := 0; n > 0; n-- {
		to := len(all)
		for _, s := range all[from:to] {
			for _, w := range words {
				all = append(all, append(slices.Clone(s), w))
			}
		}
		from = to
	}
	return all
}

func underR(parts []string) string { return strings.Join(append([]string{"/r"}, parts...), "/") }

// small is a world that can be looked at as a whole: every pattern of up to
// three segments, and which of all short paths each of them covers.
type small struct {
	patterns []capability.Capability
	literal  []bool
	covered  [][]uint64 // for each pattern, a bit for each path
}

func smallWorld(t *testing.T, segs []string) small {
	paths := sequences([]string{"a", "b", "c", "aa", "ab", "ba", "bc", "aba"}, 3)
	var w small
	for _, parts := range sequences(segs, 3) {
		c := must(t, "fs.read:"+underR(parts))
		p, _ := c.Pattern()
		bits := make([]uint64, len(paths)/64+1)
		for i, names := range paths {
			want := obvious(parts, names, true)
			if got := p.Match(underR(names)); got != want {
				t.Fatalf("%s matches %s: got %v, want %v", c, underR(names), got, want)
			}
			if got, want := p.MatchExact(underR(names)), obvious(trimmed(parts), names, false); got != want {
				t.Fatalf("%s matches exactly %s: got %v, want %v", c, underR(names), got, want)
			}
			if want {
				bits[i/64] |= 1 << (i % 64)
			}
		}
		_, literal := p.Literal()
		w.patterns, w.covered, w.literal = append(w.patterns, c), append(w.covered, bits), append(w.literal, literal)
	}
	return w
}

// trimmed takes ** off the end, as Parse does.
func trimmed(parts []string) []string {
	for len(parts) > 0 && parts[len(parts)-1] == "**" {
		parts = parts[:len(parts)-1]
	}
	return parts
}

func (w small) within(i, j int) bool {
	for k, bits := range w.covered[i] {
		if bits&^w.covered[j][k] != 0 {
			return false
		}
	}
	return true
}

// TestCoversExhaustively compares Covers with the paths that are really
// covered, for every pair of patterns in a small world.
func TestCoversExhaustively(t *testing.T) {
	w := smallWorld(t, []string{"a", "ab", "*", "?", "a*", "*b", "[ab]", "[!a]", "**"})
	claimed, within := 0, 0
	for j := range w.patterns {
		for i := range w.patterns {
			covers := w.patterns[j].Covers(w.patterns[i])
			really := w.within(i, j)
			if covers && !really {
				t.Fatalf("%s does not cover %s but says so", w.patterns[j], w.patterns[i])
			}
			if w.literal[i] && covers != really {
				t.Fatalf("%s covers the literal %s: got %v, want %v", w.patterns[j], w.patterns[i], covers, really)
			}
			if really {
				within++
			}
			if covers {
				claimed++
			}
		}
	}
	// What lies within in this world need not in a larger one, so some are
	// rightly not claimed. Far fewer than here would be a comparison gone blind.
	if claimed*100 < within*90 {
		t.Errorf("claims %d of %d pairs", claimed, within)
	}
	t.Logf("claims %d of %d pairs", claimed, within)
}

// TestCoversIsTransitive looks at all triples of short patterns.
func TestCoversIsTransitive(t *testing.T) {
	var all []capability.Capability
	for _, parts := range sequences([]string{"a", "*", "??", "a*", "*b", "*a*", "[ab]", "[!a]", "**"}, 2) {
		all = append(all, must(t, "fs.read:"+underR(parts)))
	}
	covers := make([][]bool, len(all))
	for i, c := range all {
		covers[i] = make([]bool, len(all))
		for j, d := range all {
			covers[i][j] = c.Covers(d)
		}
		if !covers[i][i] {
			t.Errorf("%s does not cover itself", c)
		}
	}
	for i := range all {
		for j := range all {
			for k := range all {
				if covers[i][j] && covers[j][k] && !covers[i][k] {
					t.Fatalf("%s covers %s covers %s, but not the first the last", all[i], all[j], all[k])
				}
			}
		}
	}
}

// segments draws a segment with glob characters over few letters, so that two
// drawn apart from each other often have to do with each other.
var segments = rapid.Custom(func(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "?", "[ab]", "[!a]", `\*`, "é", "\xff", ".x"}), 1, 6).Draw(t, "parts")
	s := strings.Join(parts, "")
	for strings.Contains(s, "**") {
		s = strings.ReplaceAll(s, "**", "*")
	}
	return s
})

var patterns = rapid.Custom(func(t *rapid.T) capability.Capability {
	segs := rapid.SliceOfN(rapid.OneOf(segments, rapid.Just("**")), 0, 5).Draw(t, "segs")
	c, err := capability.Parse("fs.read:" + underR(segs))
	if err != nil {
		t.Fatal(err)
	}
	return c
})

// within draws something that c covers: c with a segment taken literally, with
// more behind it, or as it is.
func within(t *rapid.T, c capability.Capability) capability.Capability {
	segs := strings.Split(c.Scope(), "/")[1:]
	for i, s := range segs {
		if !rapid.Bool().Draw(t, "narrow") {
			continue
		}
		switch s {
		case "**":
			segs[i] = strings.Join(rapid.SliceOfN(segments, 1, 2).Draw(t, "for **"), "/")
		default:
			segs[i] = strings.NewReplacer(`\*`, `\*`, "*", "ab", "?", "b", "[ab]", "a", "[!a]", "b").Replace(s)
		}
	}
	segs = append(segs, rapid.SliceOfN(segments, 0, 2).Draw(t, "beneath")...)
	d, err := capability.Parse("fs.read:/" + strings.Join(segs, "/"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCoversLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := patterns.Draw(t, "c")
		d := within(t, c)
		e := within(t, d)
		if !c.Covers(c) {
			t.Fatalf("%q does not cover itself", c)
		}
		if !c.Covers(d) {
			t.Fatalf("%q does not cover %q", c, d)
		}
		if !c.Covers(e) {
			t.Fatalf("%q covers %q covers %q, but not the first the last", c, d, e)
		}
		other := patterns.Draw(t, "other")
		if other.Covers(c) && !other.Covers(e) {
			t.Fatalf("%q covers %q covers %q, but not the first the last", other, c, e)
		}
	})
}

func TestPattern(t *testing.T) {
	for _, tc := range []struct {
		text, literal, root string
	}{
		{"/a/b", "/a/b", "/a/b"},
		{`/a/\*\?\[\\`, `/a/*?[\`, `/a/*?[\`},
		{"/a/*/b", "", "/a"},
		{"/**/.env", "", "/"},
		{"~/a", "", ""},
		{"a", "", ""},
	} {
		p, ok := must(t, "fs.read:"+tc.text).Pattern()
		literal, isLiteral := p.Literal()
		if !ok || literal != tc.literal || isLiteral != (tc.literal != "") || p.Root() != tc.root || p.String() != tc.text {
			t.Errorf("%s: literal %q %v, root %q, text %q", tc.text, literal, isLiteral, p.Root(), p)
		}
	}
	if p, ok := must(t, "net.connect:*").Pattern(); ok || p.Match("/") || p.MatchExact("/") || p.Root() != "" {
		t.Error("a host is no path")
	}
}

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		want          bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/", true},
		{"/a", "//a//b", true},
		{"/a", "/ab", false},
		{"/a", "/", false},
		{"/a", "a", false},
		{"/a", "", false},
		{"/a", "/b/../a", true},
		{"/a", "/a/../b", false},
		{"/a/*", "/a/.hidden", true},
		{"/a/?", "/a/é", true},
		{"/a/?", "/a/\xff", true},
		{"/a/[à-ü]", "/a/é", true},
		{"/a/[!b]", "/a/\xff", true},
		{"/a/*.pdf", "/a/x.PDF", false},
		{"/a/*a*b*c", "/a/xaxbxbxc", true},
		{"/a/*a*b*c", "/a/xaxcxb", false},
		{"/a/**/b/**/c", "/a/b/x/b/y/c/z", true},
		{"/a/**/b/**/c", "/a/c/b", false},
		{"~/a", "/home/u/a", false},
		{"a", "/a", false},
	} {
		p, _ := must(t, "fs.read:"+tc.pattern).Pattern()
		if got := p.Match(tc.path); got != tc.want {
			t.Errorf("%s matches %q: got %v, want %v", tc.pattern, tc.path, got, tc.want)
		}
	}
}

// TestLongPatterns holds that no pattern makes matching or comparing slow: the
// naive ways of both take exponential time on these.
func TestLongPatterns(t *testing.T) {
	deep := must(t, "fs.read:/r/"+strings.Repeat("**/a/", 800)+"b")
	name := must(t, "fs.read:/r/"+strings.Repeat("*a", 120)+"b")
	question := must(t, "fs.read:/r/*"+strings.Repeat("?", 2000))
	path := must(t, "fs.read:/r"+strings.Repeat("/a", 1900))
	long := must(t, "fs.read:/r/"+strings.Repeat("a", 240))
	for _, c := range []capability.Capability{deep, name, question} {
		if !c.Covers(c) || c.Covers(path) || c.Covers(long) {
			t.Errorf("%.40s", c)
		}
	}
}
