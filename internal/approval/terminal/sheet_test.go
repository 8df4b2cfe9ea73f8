package terminal_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/approval/terminal"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

var update = flag.Bool("update", false, "write the golden screens")

var now = time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)

func parse(text string) capability.Capability {
	c, err := capability.Parse(text)
	if err != nil {
		panic(err)
	}
	return c
}

// plain is an ordinary question of a pack.
func plain() approval.Question {
	return approval.Question{
		ID: "d-7f3ak2mq5x", Session: "s-zdi56lqttz", Principal: "uid:1000",
		Pack: "org.example.notes", Digest: "sha256:0b1c", Program: "python3", PID: 4711,
		Argv:       []string{"python3", "notes.py", "--all", "two words"},
		Capability: parse("fs.read:/home/ana/notes/2026/november.txt"),
		Reason:     "to build the index of your notes",
		Offers: []approval.Offer{
			{Capability: parse("fs.read:/home/ana/notes/2026/november.txt"), Scope: approval.ScopeFile, Words: "this file"},
			{Capability: parse("fs.read:/home/ana/notes/2026"), Scope: approval.ScopeDir, Words: "this directory and what is beneath it"},
			{Capability: parse("fs.read:/home/ana/notes/**/*.txt"), Scope: approval.ScopeDeclared, Words: "what the manifest declares"},
		},
		Asked: now, Expires: now.Add(5 * time.Minute),
	}
}

// secret is a question about an undeclared secret.
func secret() approval.Question {
	q := plain()
	q.Pack, q.Digest, q.Reason, q.Sensitive = "", "", "", "SSH keys"
	q.Capability = parse("fs.read:/home/ana/.ssh/id_ed25519")
	q.Offers = []approval.Offer{{Capability: q.Capability, Scope: approval.ScopeFile, Words: "this file", Broad: true}}
	return q
}

// hostile is a question in which everything that a program chooses is meant to
// deceive.
func hostile() approval.Question {
	q := plain()
	q.Pack, q.Digest = "", ""
	evil := "/home/ana/x\x1b[2J\x1b[H\nWants to read /tmp/harmless\nBecause  it is safe" + strings.Repeat(" ", 300) +
		"\u202etxt.\u2066cod\u200b\u0301\u0301\u0301\u0301" + strings.Repeat("A", 3000) + "\u05d0\u05d1/the-end.txt"
	c, err := capability.ForPath(capability.FSRead, evil)
	if err != nil {
		panic(err)
	}
	q.Capability, q.Offers = c, []approval.Offer{{Capability: c, Scope: approval.ScopeFile, Words: "this file"}}
	q.Program = "sh\x1b]0;title\a (process 1)"
	q.Argv = []string{"sh", "-c", "\r\x1b[1A> n  No\n" + strings.Repeat("y ", 5000) + "last word"}
	q.Reason = "trust me\" \u202e\nCareful  nothing"
	return q
}

func TestGolden(t *testing.T) {
	for _, tc := range []struct {
		name string
		q    approval.Question
		w, h int
		wait int
		keys string
	}{
		{"plain-40x10", plain(), 40, 10, 2, ""},
		{"plain-40x10-always", plain(), 40, 10, 0, "a"},
		{"plain-60x16", plain(), 60, 16, 1, "s"},
		{"plain-80x24", plain(), 80, 24, 0, ""},
		{"plain-80x24-until", plain(), 80, 24, 0, "\tuuu"},
		{"plain-80x24-enter", plain(), 80, 24, 0, "\r"},
		{"plain-200x60", plain(), 200, 60, 3, "2o"},
		{"secret-40x10", secret(), 40, 10, 0, "a\rye"},
		{"secret-80x24", secret(), 80, 24, 0, "a\rye"},
		{"hostile-40x10", hostile(), 40, 10, 0, ""},
		{"hostile-80x24", hostile(), 80, 24, 0, "o"},
		{"hostile-200x60", hostile(), 200, 60, 0, ""},
		{"full-80x24", plain(), 80, 24, 0, "f"},
		{"small-39x10", plain(), 39, 10, 0, "a"},
		{"small-80x6", plain(), 80, 6, 0, ""},
		{"lines-80", plain(), 80, 0, 0, "s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := terminal.NewSheet(tc.q, now.Add(time.Second), tc.wait)
			if tc.h > 0 {
				s.Render(tc.w, tc.h)
			}
			s.Press([]rune(tc.keys)...)
			var got string
			if tc.h > 0 {
				got = s.Render(tc.w, tc.h)
				fits(t, got, tc.w, tc.h)
			} else {
				got = s.Lines(tc.w)
			}
			golden(t, tc.name, got)
		})
	}
}

// fits holds a screen to its size and to what may be on it.
func fits(t *testing.T, screen string, w, h int) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(screen, "\n"), "\n")
	if len(lines) > h {
		t.Errorf("%d lines on a screen of %d", len(lines), h)
	}
	for _, l := range lines {
		l = l[len("# |"):]
		if terminal.Width(l) > w {
			t.Errorf("%d columns on a screen of %d: %q", terminal.Width(l), w, l)
		}
		if strings.ContainsFunc(l, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x202e }) || !utf8.ValidString(l) {
			t.Errorf("control characters on the screen: %q", l)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("screen\n%s\nwant\n%s", got, want)
	}
}

// TestEverySize: whatever the size, what is drawn fits, and a question that does
// not fit cannot be allowed.
func TestEverySize(t *testing.T) {
	for _, q := range []approval.Question{plain(), secret(), hostile()} {
		for w := 1; w <= 210; w += 1 + w/10 {
			for h := 1; h <= 62; h += 1 + h/12 {
				s := terminal.NewSheet(q, now, 3)
				screen := s.Render(w, h)
				fits(t, screen, max(w, 2), h)
				room := strings.Contains(screen, "Stored") && strings.Contains(screen, "Wants to")
				if room != (w >= 40 && (h >= 10 || h == 9 && q.Sensitive == "")) {
					t.Errorf("%dx%d: shown %v\n%s", w, h, room, screen)
				}
				if v := s.Press([]rune("a\ryes\r")...); !room && v == "answered" {
					t.Errorf("%dx%d: allowed what could not be read", w, h)
				}
				s.Press('f')
				fits(t, s.Render(w, h), max(w, 2), h)
			}
		}
	}
}

func TestPress(t *testing.T) {
	const (
		esc, tab = "\x1b", "\t"
		up, down = "\U0010fffe", "\U0010ffff"
	)
	file, dir := plain().Offers[0].Capability, plain().Offers[1].Capability
	allow := func(c capability.Capability, s grant.Span) approval.Answer {
		return approval.Answer{Outcome: grant.Allow, Capability: c, Span: s, By: "terminal"}
	}
	for _, tc := range []struct {
		name, keys, want string
		answer           approval.Answer
	}{
		{"n", "n", "declined", approval.Answer{}},
		{"escape", esc, "declined", approval.Answer{}},
		{"interrupt", "\x03", "interrupt", approval.Answer{}},
		{"stop", "\x1a", "suspend", approval.Answer{}},
		{"enter alone", "\r\r\r", "asking", approval.Answer{}},
		{"y", "y\r", "asking", approval.Answer{}},
		{"yes", "yes\r", "answered", allow(file, grant.Session)},
		{"a letter alone", "a", "asking", approval.Answer{}},
		{"once", "o\r", "answered", allow(file, grant.Once)},
		{"session", "s\r", "answered", allow(file, grant.Session)},
		{"always", "a\r", "answered", allow(file, grant.Always)},
		{"never", "v\r", "answered", approval.Answer{Capability: file, Span: grant.Always, By: "terminal"}},
		{"no, chosen", "a" + up + up + up + up + up + up + "\r", "answered", approval.Answer{By: "terminal"}},
		{"arrows", down + down + "\r", "answered", allow(file, grant.Once)},
		{"beyond the end", down + down + down + down + down + down + down + "\r", "answered", allow(file, grant.Always)},
		{"the directory", tab + "s\r", "answered", allow(dir, grant.Session)},
		{"the directory, by number", "s2\r", "answered", allow(dir, grant.Session)},
		{"no such number", "s4\r", "answered", allow(file, grant.Session)},
		{"round the offers", tab + tab + tab + "s\r", "answered", allow(file, grant.Session)},
		{"back from all of it", "f" + esc, "asking", approval.Answer{}},
		{"nothing is answered there", "sf\r\rn", "asking", approval.Answer{}},
		{"other keys", "qxzY?", "asking", approval.Answer{}},
	} {
		s := terminal.NewSheet(plain(), now, 0)
		s.Render(80, 24)
		keys := []rune(tc.keys)
		for i, k := range keys {
			switch string(k) {
			case up:
				keys[i] = terminal.Up
			case down:
				keys[i] = terminal.Down
			}
		}
		got := s.Press(keys...)
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		if got == "answered" && s.Answer() != tc.answer {
			t.Errorf("%s: answer %+v, want %+v", tc.name, s.Answer(), tc.answer)
		}
	}
}

func TestUntil(t *testing.T) {
	for n, want := range []time.Duration{time.Hour, 8 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, time.Hour} {
		s := terminal.NewSheet(plain(), now, 0)
		s.Render(80, 24)
		if got := s.Press([]rune(strings.Repeat("u", n+1) + "\r")...); got != "answered" {
			t.Fatalf("%d: %s", n, got)
		}
		a := s.Answer()
		if !a.Until.Equal(now.Add(want).Truncate(time.Minute)) || a.Span != grant.Until {
			t.Errorf("u %d times: %+v", n+1, a)
		}
		if _, err := plain().Fit(a, now); err != nil {
			t.Errorf("u %d times: %v", n+1, err)
		}
	}
}

// TestFarReaching: what reaches far needs the word, and nothing else will do.
func TestFarReaching(t *testing.T) {
	broad := plain()
	broad.Offers[0].Broad = true
	for _, q := range []approval.Question{secret(), broad} {
		for _, tc := range []struct {
			keys string
			want string
		}{
			{"a\r", "asking"},
			{"a\r\r\r", "asking"},
			{"a\ryes", "asking"},
			{"a\ry\r", "asking"},
			{"a\rno\r", "asking"},
			{"a\ryess\r", "asking"},
			{"a\rYES\r", "asking"},
			{"a\ryes\x1b\r", "asking"},
			{"a\rnoyes\r", "asking"},
			{"a\rno\ryes\r", "answered"},
			{"a\ryex\x7fs\r", "answered"},
			{"a\ryes\r", "answered"},
			{"a\r\x1bn", "declined"},
			{"v\r", "answered"}, // a no needs no such care
		} {
			s := terminal.NewSheet(q, now, 0)
			s.Render(80, 24)
			if got := s.Press([]rune(tc.keys)...); got != tc.want {
				t.Errorf("%s %q: %s, want %s", q.Sensitive, tc.keys, got, tc.want)
			}
		}
	}
}

func TestParseKeys(t *testing.T) {
	const other = terminal.Other
	for in, want := range map[string][]rune{
		"":                                nil,
		"a\rä":                            {'a', '\r', 'ä'},
		"\n\x08\x7f\x03":                  {'\r', 0x7f, 0x7f, 3},
		"\x1b[A\x1b[B\x1bOC\x1bOD":        {terminal.Up, terminal.Down, terminal.Right, terminal.Left},
		"\x1bOM\x1b[1;5A":                 {'\r', terminal.Up},
		"\x1b[<0;3;4M\x1b[<0;3;4m":        {other, other}, // mouse
		"\x1b[M a\r":                      {other},        // mouse, the old way: its bytes are no keys
		"\x1b[200~yes\r\x1b[201~":         {other, 'y', 'e', 's', '\r', other},
		"\x1b]l\rsa\r\x1b\\x":             {other, 'x'}, // a title that was asked for
		"\x1b]l a\r\ax":                   {other, 'x'},
		"\x1bP1$r0m\x1b\\":                {other},
		"\x1b[?1049;1$y\x1b[?62;4c\x1b[I": {other, other, other}, // reports
		"\x1b[97u\x1b[13u\x1b[27u":        {'a', '\r', 0x1b},     // the protocol of kitty
		"\x1b[99;5u\x1b[27;5;99~":         {3, 3},
		"\x1b[97;1:3u\x1b[1;1:3A":         {other, other}, // let go
		"\x1b[97;3u\x1b[97;9u":            {other, other}, // with Alt, with Super
		"\x1b[97;65u":                     {'a'},          // with Caps Lock on
		"\x1ba\x1b\x1b[A":                 {other, 0x1b, terminal.Up},
		"\x1b[3~\x1b[15~":                 {other, other},
		"\xff\xc2\x9b":                    {other, other},
	} {
		got, rest := terminal.ParseKeys(in)
		if !slices.Equal(got, want) || rest != "" {
			t.Errorf("ParseKeys(%q) = %q %q, want %q", in, got, rest, want)
		}
	}
	for _, part := range []string{"\x1b", "\x1b[", "\x1b[1;", "\x1b]l title", "\x1b]l title\x1b", "\x1bP", "\x1bO", "\x1b[Mab", "\xc3", "\x1b\xc3"} {
		if got, rest := terminal.ParseKeys(part); len(got) > 0 || rest != part {
			t.Errorf("ParseKeys(%q) = %q %q, want it to wait", part, got, rest)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"a  b ":               `a \x20b\x20`,
		" a":                  `\x20a`,
		"שלום.txt":            `\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d.txt`,
		"u\u0308ber":          "u\u0308ber",
		"Z\u0301\u0302\u0303": "Z\u0301\u0302" + `\xcc\x83`,
		" \u0301":             `\x20\xcc\x81`,
	} {
		if got := terminal.Shown(in); got != want {
			t.Errorf("Shown(%q) = %s, want %s", in, got, want)
		}
	}
	if got := terminal.Fit("/home/ana/very/long/path/to/the/end.txt", 20); got != "/home/…o/the/end.txt" {
		t.Errorf("Fit = %q", got)
	}
	if got := terminal.Wrap("数据数据数据", 5, 0); !slices.Equal(got, []string{"数据", "数据", "数据"}) {
		t.Errorf("Wrap = %q", got)
	}
	if got := terminal.Wrap(strings.Repeat("a", 100)+"END", 10, 3); len(got) != 3 || !strings.HasSuffix(got[2], "END") {
		t.Errorf("Wrap = %q", got)
	}
}

func FuzzKeys(f *testing.F) {
	for _, s := range []string{"a\r", "\x1b[A", "\x1b]0;a\r\a", "\x1b[M a\r", "\x1b[97;5u"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		keys, rest := terminal.ParseKeys(in)
		if len(keys) > len(in) || !strings.HasSuffix(in, rest) {
			t.Fatalf("ParseKeys(%q) = %q %q", in, keys, rest)
		}
		// The same however it is cut, as long as sequences are whole.
		if rest == "" {
			again, rest := terminal.ParseKeys(in + "n")
			if rest != "" || len(again) != len(keys)+1 || again[len(keys)] != 'n' {
				t.Fatalf("ParseKeys(%q+n) = %q %q", in, again, rest)
			}
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[2J\u202e  b", 20, 3)
	f.Fuzz(func(t *testing.T, in string, limit, most int) {
		if limit = limit % 300; limit < 4 {
			limit = 4
		}
		most = max(most%20, 0)
		text := terminal.Shown(in)
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Fatalf("Shown(%q) = %q", in, text)
		}
		lines := terminal.Wrap(text, limit, most)
		if most > 0 && len(lines) > most {
			t.Fatalf("%d lines of %d", len(lines), most)
		}
		for _, l := range lines {
			if terminal.Width(l) > limit {
				t.Fatalf("%d columns of %d", terminal.Width(l), limit)
			}
		}
	})
}
