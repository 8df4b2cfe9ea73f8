package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
)

func TestParseVolume(t *testing.T) {
	for _, tc := range []struct {
		text, src, dst, mode string
	}{
		{"/a:/b", "/a", "/b", volumeReadOnly},
		{"/a:/b:ro", "/a", "/b", volumeReadOnly},
		{"/a:/b:rw", "/a", "/b", volumeWritable},
		{"/a:/b:cow", "/a", "/b", volumeCopied},
		{"/a:/b:append", "/a", "/b", volumeAppended},
		{".:/b", ".", "/b", volumeReadOnly},
		{"/a:b:c:/d:rw", "/a:b:c", "/d", volumeWritable},
		{"/a:/b/../c/", "/a", "/c", volumeReadOnly},
		{"/a:/rw", "/a", "/rw", volumeReadOnly},
		{"rw:/ro", "rw", "/ro", volumeReadOnly},
		{"/a:/b c\n:rw", "/a", "/b c\n", volumeWritable},
	} {
		src, dst, mode, err := parseVolume(tc.text)
		if err != nil || src != tc.src || dst != tc.dst || mode != tc.mode {
			t.Errorf("%q: got %q, %q, %q, %v", tc.text, src, dst, mode, err)
		}
	}
	for _, text := range []string{"", ":", "/a", "/a:", ":/b", ":/b:rw", "/a:b", "/a:rw", "/a:ro:rw", "/a:/b:RW", "/a:/b:rx", "/a:/b:", "a\nb"} {
		src, dst, mode, err := parseVolume(text)
		if err == nil {
			t.Errorf("%q: got %q, %q, %q", text, src, dst, mode)
			continue
		}
		oneLine(t, err)
	}
}

// oneLine: an error that a person reads is one line, whatever it repeats.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); strings.ContainsAny(text, "\n\r\x1b\x00") || text == "" {
		t.Errorf("not one line: %q", text)
	}
}

func TestSetLimit(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		want        enforce.Limits
	}{
		{"memory", "1", enforce.Limits{Memory: 1}},
		{"memory", "512M", enforce.Limits{Memory: 512 << 20}},
		{"memory", "1K", enforce.Limits{Memory: 1 << 10}},
		{"disk", "2G", enforce.Limits{Disk: 2 << 30}},
		{"disk", "4T", enforce.Limits{Disk: 4 << 40}},
		{"memory", "4194304T", enforce.Limits{Memory: 1 << 62}},
		{"pids", "7", enforce.Limits{PIDs: 7}},
		{"fds", "64", enforce.Limits{FDs: 64}},
		{"fds", "1073741824", enforce.Limits{FDs: 1 << 30}},
		{"cpu", "1.5", enforce.Limits{CPU: 1500}},
		{"cpu", "0.01", enforce.Limits{CPU: 10}},
		{"cpu", "4096", enforce.Limits{CPU: 4096_000}},
		{"wall", "1m30s", enforce.Limits{Wall: 90 * time.Second}},
		{"wall", "1ns", enforce.Limits{Wall: 1}},
	} {
		var got enforce.Limits
		if err := setLimit(&got, tc.name, tc.value); err != nil || got != tc.want {
			t.Errorf("%s=%s: got %+v, %v", tc.name, tc.value, got, err)
		}
	}
	bad := []string{"", "0", "-1", "x", " 1", "1 ", "1_000", "0x10", "1e3x", "\x1b[2J", "9223372036854775808", "NaN", "nan", "Inf", "-Inf", "-0"}
	for name, values := range map[string][]string{
		"memory": append(bad, "M", "-1M", "1.5G", "1m", "1MB", "KK", "4194305T", "9223372036854775807K"),
		"disk":   append(bad, "T"), "pids": append(bad, "1K", "1073741825", "1.0"), "fds": append(bad, "1M"),
		"cpu": append(bad, "0.001", "4097", "1,5", "-0.5"), "wall": append(bad, "30", "-5s", "5 m", "1y"),
		"": {"1"}, "Memory": {"1"}, "net\n": {"1"},
	} {
		for _, value := range values {
			if name == "cpu" && (value == "0x10" || value == "1_000") {
				continue // numbers, as Go writes them
			}
			var got enforce.Limits
			err := setLimit(&got, name, value)
			if err == nil {
				t.Errorf("%s=%q: got %+v", name, value, got)
				continue
			}
			oneLine(t, err)
		}
	}
	if n, err := parseSize("8388607T"); err == nil || n > math.MaxInt64>>1 {
		t.Errorf("a size that overflows is %d, %v", n, err)
	}
}

// TestShellWord: what is shown can be copied, and does nothing to a terminal.
func TestShellWord(t *testing.T) {
	for in, want := range map[string]string{
		"": "''", "a": "a", "/a-b_c.d": "/a-b_c.d", "fs.read:/a": "fs.read:/a", "a=b,c@d%e+f": "a=b,c@d%e+f",
		"a b": "'a b'", "~": "'~'", "*": "'*'", "$HOME": "'$HOME'", "`id`": "'`id`'", "a;b": "'a;b'", "!": "'!'", "#x": "'#x'", "a\\b": `'a\b'`,
		"it's": `'it'\''s'`, "'": `''\'''`, "é": "'é'",
	} {
		if got := shellWord(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"a\nb", "a\x1b[2Jb", "a\rb", "\x00", "\x7f", "\u202e", "\xff", "a\u2028b"} {
		got := shellWord(in)
		if strings.ContainsAny(got, "\n\x1b\r\x00\x7f\u202e\u2028") || !utf8.ValidString(got) || !strings.HasPrefix(got, "'") {
			t.Errorf("%q is shown as %q", in, got)
		}
	}
}

func TestPlainName(t *testing.T) {
	for _, s := range []string{"a", "ada.lovelace", "A-1_b", strings.Repeat("x", 32)} {
		if !plainName(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"", " ", "a:b", "a\nroot:x:0", "a b", "é", "\xff", "a/b", "$x", strings.Repeat("x", 33)} {
		if plainName(s) {
			t.Errorf("%q is taken", s)
		}
	}
}

// TestParsePolicy: a policy is understood wholly, or stops every launch with
// one line that says why.
func TestParsePolicy(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	b := capability.Base{Home: dir, Dir: "/"}
	for _, tc := range []struct {
		text               string
		forbid, preapprove []string
	}{
		{`{}`, nil, nil},
		{" {\n}\n", nil, nil},
		{`{"forbid":[],"preapprove":[]}`, nil, nil},
		{`{"forbid":["net.connect:evil.example:443","fs.read:~/secret"]}`, []string{"net.connect:evil.example:443", "fs.read:" + dir + "/secret"}, nil},
		{`{"preapprove":["fs.read:~/link"]}`, nil, []string{"fs.read:/usr"}}, // where the link leads
		{`{"forbid":["fs.read:~/link/**/*.pem"],"preapprove":["process.spawn"]}`, []string{"fs.read:/usr/**/*.pem"}, []string{"process.spawn"}},
	} {
		p, err := parsePolicy([]byte(tc.text), b)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		for _, list := range []struct {
			got  []capability.Capability
			want []string
		}{{p.Forbid, tc.forbid}, {p.Preapprove, tc.preapprove}} {
			var got []string
			for _, c := range list.got {
				got = append(got, c.String())
			}
			if !slices.Equal(got, list.want) {
				t.Errorf("%s: got %q, want %q", tc.text, got, list.want)
			}
		}
	}
	for _, tc := range []struct{ name, text, says string }{
		{"empty", "", "empty"},
		{"white space", " \n", "empty"},
		{"nothing", "null", "object"},
		{"a list", `["fs.read:/a"]`, "object"},
		{"a text", `"x"`, "object"},
		{"cut short", `{"forbid":["fs.read:/a"`, ""},
		{"not JSON", "forbid: x\n", ""},
		{"an unknown key", `{"forbid":[],"forbids":["fs.read:/a"]}`, "forbids"},
		{"a key in other letters", `{"Forbid":["fs.read:/a"]}`, "Forbid"},
		{"a key of two lines", `{"a\nb":[]}`, ""},
		{"a key twice", `{"forbid":["fs.read:/a"],"forbid":[]}`, "forbid"},
		{"trailing text", `{} {}`, "after the end"},
		{"trailing brace", `{"forbid":[]}}`, "after the end"},
		{"no such capability", `{"forbid":["fs.red:/a"]}`, "fs.red"},
		{"no scope", `{"forbid":["fs.read:"]}`, ""},
		{"an empty capability", `{"forbid":[""]}`, "found nothing"},
		{"null for a capability", `{"forbid":[null]}`, "found nothing"},
		{"null for a list", `{"forbid":null}`, "forbid"},
		{"a capability alone", `{"forbid":"fs.read:/a"}`, ""},
		{"a number", `{"preapprove":[1]}`, ""},
		{"a home that is not known", `{"forbid":["fs.read:relative"]}`, "relative"},
	} {
		base := b
		if tc.name == "a home that is not known" {
			base = capability.Base{}
		}
		p, err := parsePolicy([]byte(tc.text), base)
		if err == nil {
			t.Errorf("%s: got %+v", tc.name, p)
			continue
		}
		oneLine(t, err)
		if !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %q does not say %q", tc.name, err, tc.says)
		}
	}
}

// launch is one that was not decided yet.
func launch(t *testing.T, allow ...string) *prepared {
	t.Helper()
	s := &prepared{app: &app{now: time.Now}, flags: &runFlags{}}
	s.subject.Session = "s_1"
	for _, text := range allow {
		c, err := capability.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.give(c, grant.Allow, byFlag)
	}
	return s
}

// TestEnvironment: of the person's variables only those that are named get in.
func TestEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"USER": "ada", "LANG": "C.UTF-8", "LC_ALL": "C", "TERM": "dumb", "TZ": "UTC", "NO_COLOR": "1", "PATH": "/evil:/usr/bin", "HOME": "/home/ada",
		"AWS_SECRET_ACCESS_KEY": "s3cret", "SSH_AUTH_SOCK": "/s", "LD_PRELOAD": "/evil.so", "LC": "x", "LANGUAGES": "x", "DISPLAY": ":0", "GIT_DIR": "/g",
		"SHELL": "/bin/evil", "TMPDIR": "/var/tmp", "PWD": "/wrong", "XDG_RUNTIME_DIR": "/run", "BASH_ENV": "/evil", "WANTED": "w", "DECLARED": "d=1=2", "AMBIT_SESSION": "s_0",
	} {
		t.Setenv(name, value)
	}
	user := "ada"
	if os.Getuid() == 0 {
		user = "root"
	}
	s := launch(t)
	path := "PATH=/usr/bin:/usr/local/bin:/bin:/usr/sbin:/sbin"
	common := []string{"AMBIT_SESSION=s_1", "HOME=/h", "LANG=C.UTF-8", "LC_ALL=C", "LOGNAME=" + user, "NO_COLOR=1", path, "PWD=/d", "SHELL=/bin/sh",
		"TERM=dumb", "TMPDIR=/tmp", "TZ=UTC", "USER=" + user}
	given := func() []string {
		env, err := s.environment("/d", "/h")
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(env, func(kv string) bool {
			name, _, _ := strings.Cut(kv, "=") // of the person who tests
			return name == "COLORTERM" || name == "LANGUAGE" || strings.HasPrefix(name, "LC_") && name != "LC_ALL"
		})
	}
	if got := given(); !slices.Equal(got, common) {
		t.Errorf("got  %q\nwant %q", got, common)
	}
	s.manifest.Env = []string{"DECLARED", "NOT_SET"}
	s.flags.env = []string{"WANTED", "NOT_SET_EITHER", "SET=a=b", "EMPTY=", "TERM=xterm", "SET=last"}
	want := []string{"DECLARED=d=1=2", "EMPTY=", "SET=last", "WANTED=w"}
	for _, kv := range common {
		if kv == "TERM=dumb" {
			kv = "TERM=xterm"
		}
		want = append(want, kv)
	}
	slices.Sort(want)
	if got := given(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestSearchPath: of PATH only what the view has, in the person's order, and
// the system's folders behind it.
func TestSearchPath(t *testing.T) {
	system := []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"}
	for _, tc := range []struct {
		path  string
		allow []string
		want  []string // before the system's
	}{
		{"", nil, nil},
		{"/home/ada/bin:/opt/x", nil, nil},
		{"/home/ada/bin:/opt/x", []string{"fs.read:/home/ada"}, []string{"/home/ada/bin"}},
		{"/home/adam/bin", []string{"fs.read:/home/ada"}, nil},
		{"/home/ada/bin", []string{"fs.read:/home/ada/bin/*.sh"}, nil},
		{"/home/ada/bin", []string{"process.spawn:/home/ada/bin"}, nil},
		{"/opt/x:/opt/x/:/opt//x", []string{"fs.write:/opt"}, []string{"/opt/x"}},
		{".:bin::../x", []string{"fs.read:/home"}, nil}, // not absolute: it would be another folder inside
		{"/usr/games:/usr", nil, []string{"/usr/games"}},
		{"/usr/../home/ada", nil, nil},
		{"/usrlocal/bin", nil, nil},
	} {
		t.Setenv("PATH", tc.path)
		got := launch(t, tc.allow...).searchPath()
		if want := append(slices.Clone(tc.want), system...); !slices.Equal(got, want) {
			t.Errorf("PATH=%s with %q: got %q, want %q", tc.path, tc.allow, got, want)
		}
	}
	t.Setenv("PATH", "/usr/sbin:/opt/x")
	s := launch(t)
	c, err := capability.Parse("fs.read:/opt/x")
	if err != nil {
		t.Fatal(err)
	}
	s.give(c, grant.Allow, byVolume)
	if got, want := s.searchPath(), []string{"/usr/sbin", "/usr/local/bin", "/usr/bin", "/bin", "/sbin"}; !slices.Equal(got, want) {
		t.Errorf("what is shown elsewhere: got %q, want %q", got, want)
	}
	s = launch(t)
	s.give(c, grant.Deny, byFlag)
	if s.shows("/opt/x") {
		t.Error("what is denied is shown")
	}
}

func TestIsID(t *testing.T) {
	for text, want := range map[string]bool{"d-amn2phbouh": true, "e-aaaa": true, "g-2345": true, "d-aaa": false, "x-aaaa": false, "-aaaa": false, "de-aaaa": false,
		"d-aaaA": false, "d-aaa1": false, "d-aaa8": false, "d-aa-a": false, "d aaaa": false, "": false, "d-aaaa\n": false} {
		if isID(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// TestServes: timers are exact where it is not known yet who waits for this process, and
// late where first touches and connections do.
func TestServes(t *testing.T) {
	for _, tc := range []struct {
		name  string
		flags runFlags
		want  bool
	}{
		{"plain", runFlags{allow: []string{"fs.read:/usr"}, ask: askNone}, false},
		{"asking", runFlags{allow: []string{"fs.read:/usr"}, ask: askQueue}, false},
		{"network", runFlags{allow: []string{"fs.read:/usr", "net.connect:example.org:443"}, ask: askNone}, false},
		{"pack", runFlags{pack: "notes", ask: askNone}, true},
	} {
		if got := tc.flags.serves(); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
