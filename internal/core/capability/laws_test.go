package capability_test

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
)

// scopes has texts for each kind that takes a scope; "" stands for none.
var scopes = map[capability.Kind][]string{
	capability.NetConnect:   hosts,
	capability.NetStream:    {"*", "a.com", "*.a.com:443", "1.2.3.4", "a.com/http", "a.com/http:GET:/a/**"},
	capability.MediaFetch:   {"*", "a.com", "*.a.com:443"},
	capability.BrowserVisit: {"*", "a.com", "*.com"},
	capability.NetListen:    {"80", "80/8080", "8080", "8080/80"},
	capability.DNSLookup:    {"*/*", "a.com/TXT", "a.com/MX,TXT", "*.a.com/*", "a.com/*", "x.a.com/TXT"},
	capability.ProcessSpawn: {"", "/usr/bin", "/usr/bin/git", "~/bin/*", "./x"},
	capability.USBDevice:    {"046d:c52b", "0000:ffff"},
	capability.SystemdUnit:  {"nginx.service", `dev-disk-by\x2dlabel.mount`, "a@b:c.service"},
	capability.KernelModule: {"wireguard", "snd_hda"},
	capability.AgentSpawn:   {"", "org.example.a", "org.example.b"},
	capability.SecretRead:   {"token", "ci/token"},
	capability.SecretUse:    {"token@a.com", "token@*.a.com", "token@x.a.com:443", "token@10.0.0.1", "other@a.com"},
	capability.InferenceUse: trees,
	capability.DBQuery:      trees,
	capability.StorageRead:  trees,
	capability.StorageWrite: trees,
	capability.ToolCall:     trees,
}

var trees = []string{"*", "a", "a/b", "a/b/c", "ab", "a:1", "x@y"}

var hosts = []string{
	"*", "*:443", "*:80-443", "*/udp", "a.com", "a.com:*", "a.com:443", "a.com:80-90", "x.a.com", "x.a.com/udp", "*.a.com", "*.x.a.com",
	"*.com", "wpad.a.com", "localhost", "db", "db.corp.internal", "1.2.3.4", "1.2.3.4:22", "1.2.0.0/16", "10.0.0.0/8", "10.1.2.3:80",
	"127.0.0.1", "169.254.0.0/16", "169.254.169.254", "169.254.170.0/25", "168.63.129.16", "[::1]:443", "[2606:4700::/32]", "[2606:4700::1]",
	"[fd00:ec2::254]", "[fc00::/7]", "[2001:db8::1]", "[4000::1]",
	"*/http:GET", "a.com/http", "a.com/http:GET", "a.com/http:HEAD", "a.com:443/http:GET,PUT", "a.com/http:/a", "a.com/http:/a/", "a.com/http:/a/**", "a.com/http:/a/*",
	"a.com/http:/a/**/*", "a.com/http:/a/*/**", "a.com/http:/a,/b", "a.com/http:GET:/a/b,/c", "a.com/http:/", "a.com/http:/*", "*.a.com/http:GET:/a", "1.2.3.4/http:/**/x",
}

// everyKind lists a capability of each kind and, where there are scopes, of each.
func everyKind(t testing.TB) []capability.Capability {
	var all []capability.Capability
	for _, k := range capability.Kinds() {
		texts := scopes[k]
		if strings.HasPrefix(string(k), "fs.") {
			texts = []string{"/a", "/a/b", "/a/*", "/a/**/*.c", "/b", "~", "~/a", ".", "./a", "./~a", "*.c", "a/?", "~/*", "~/a/**/b", `/a/\*`, `/a/\*/b`, "/**/b"}
		}
		if texts == nil {
			texts = []string{""}
		}
		for _, s := range texts {
			if s != "" {
				s = ":" + s
			}
			all = append(all, must(t, string(k)+s))
		}
	}
	return all
}

// TestLaws holds for all of them what the package promises, two and three at a
// time.
func TestLaws(t *testing.T) {
	all := everyKind(t)
	below := make([][]capability.Capability, len(all))
	for i, c := range all {
		if back, err := capability.Parse(c.String()); err != nil || back != c {
			t.Errorf("Parse(%q) = %q, %v", c, back, err)
		}
		if !c.Covers(c) || c.Covers(capability.Capability{}) || (capability.Capability{}).Covers(c) {
			t.Errorf("%s covers itself %v, nothing %v, and is covered by nothing", c, c.Covers(c), c.Covers(capability.Capability{}))
		}
		for _, p := range c.Parts() {
			if !c.Covers(p) {
				t.Errorf("%s does not cover its part %s", c, p)
			}
		}
		for _, d := range all {
			if c.Covers(d) {
				below[i] = append(below[i], d)
				if c != d && d.Covers(c) {
					t.Errorf("%s and %s cover each other: one right, two spellings", c, d)
				}
			}
		}
	}
	for i, c := range all {
		for _, d := range below[i] {
			for _, e := range below[slices.Index(all, d)] {
				if !c.Covers(e) {
					t.Errorf("%s covers %s covers %s, but not the first the last", c, d, e)
				}
			}
		}
	}
}

func TestAttenuate(t *testing.T) {
	all := everyKind(t)
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOf(rapid.SampledFrom(all))
		parent, want, probe := some.Draw(t, "parent"), some.Draw(t, "want"), rapid.SampledFrom(all).Draw(t, "probe")
		kept, beyond := capability.Attenuate(parent, want)
		if len(kept)+len(beyond) != len(want) {
			t.Fatal("a wish was lost")
		}
		if capability.Covered(probe, kept) && !capability.Covered(probe, parent) {
			t.Fatalf("the child has %s, the parent does not", probe)
		}
		for _, b := range beyond {
			if capability.Covered(b, parent) {
				t.Fatalf("%s was kept back, though the parent has it", b)
			}
		}
	})
}

func TestForPath(t *testing.T) {
	for _, p := range []string{"/a", "/a/*?[]\\{}", "/a:b,c", "/a\n\xff\x1b[0m", "/a/../b//c/.", "/" + strings.Repeat("*", 4095), "/~", "/a/**", `/a/\x41`} {
		c, err := capability.ForPath(capability.FSWrite, p)
		if err != nil {
			t.Errorf("%q: %v", p, err)
			continue
		}
		pattern, _ := c.Pattern()
		if got, ok := pattern.Literal(); !ok || got != path.Clean(p) {
			t.Errorf("%q: the literal is %q", p, got)
		}
		if back, err := capability.Parse(c.Display()); err != nil || back != c {
			t.Errorf("Parse(%q) = %q, %v", c.Display(), back, err)
		}
	}
	for _, p := range []string{"", "a", "~/a", "/", "//", "/a/..", "/a\x00b", "/" + strings.Repeat("a", 4096)} {
		if c, err := capability.ForPath(capability.FSRead, p); err == nil {
			t.Errorf("%q: got %q, want an error", p, c)
		}
	}
	for _, k := range []capability.Kind{capability.NetConnect, capability.ProcessKill, "", "nonsense"} {
		if c, err := capability.ForPath(k, "/a"); err == nil {
			t.Errorf("%q: got %q, want an error", k, c)
		}
	}
}

func TestResolve(t *testing.T) {
	base := capability.Base{Home: "/home/u*", Dir: "/work/./x/"}
	for _, tc := range []struct {
		text string
		base capability.Base
		want string
	}{
		{"fs.read:~", base, `fs.read:/home/u\*`},
		{"fs.read:~/a/*", base, `fs.read:/home/u\*/a/*`},
		{"fs.read:.", base, "fs.read:/work/x"},
		{"fs.read:./~", base, "fs.read:/work/x/~"},
		{"fs.read:/a", capability.Base{}, "fs.read:/a"},
		{"process.spawn:./run", base, "process.spawn:/work/x/run"},
		{"process.spawn", capability.Base{}, "process.spawn"},
		{"net.connect:*", capability.Base{}, "net.connect:*"},
		{"fs.read:~", capability.Base{}, ""},
		{"fs.read:~", capability.Base{Home: "u"}, ""},
		{"fs.read:~", capability.Base{Home: "/"}, ""},
		{"fs.read:.", capability.Base{Dir: "/"}, ""},
		{"fs.read:./*", capability.Base{Dir: "/a/.."}, ""},
		{"fs.read:" + strings.Repeat("a", 4090), base, ""},
	} {
		c := must(t, tc.text)
		got, err := c.Resolve(tc.base)
		if got.String() != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s below %+v: got %q, %v; want %q", tc.text, tc.base, got, err, tc.want)
		}
		if err == nil && !got.Resolved() {
			t.Errorf("%s is not resolved", got)
		}
	}
	for _, text := range []string{"fs.read:~", "fs.read:.", "process.spawn:x"} {
		if must(t, text).Resolved() {
			t.Errorf("%s is resolved", text)
		}
	}
	if (capability.Capability{}).Resolved() {
		t.Error("nothing is resolved")
	}
}

// FuzzParseCapability holds for any text: it is refused with a place, or has
// one canonical form that reads back, prints safely, and covers itself.
func FuzzParseCapability(f *testing.F) {
	for _, c := range everyKind(f) {
		f.Add(c.String())
	}
	for _, text := range []string{
		`FsRead("/home/me/Projects/**")`, "fs.read.~/Documents/*.pdf", "net.access", `fs.read:/a/[!\]a-z]*?\*`, `fs.read:/a\x0a`,
		"fs.read:/\xff/\xc3[é]", "fs.read:/a/../..", `FsRead("\u{1F600}\x41")`, "net.connect:[::ffff:1.2.3.4]:80", "fs.read:/a/\u202e",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := capability.Parse(text)
		if err != nil {
			if e, ok := errors.AsType[*capability.SyntaxError](err); !ok || e.Offset < 0 || e.Offset > len(text) || e.Msg == "" || e.Text != text {
				t.Fatalf("%#v", e)
			}
			return
		}
		for _, again := range []string{c.String(), c.Display()} {
			if back, err := capability.Parse(again); err != nil || back != c {
				t.Fatalf("Parse(%q) = %q, %v", again, back, err)
			}
		}
		if !c.Covers(c) {
			t.Fatalf("%q does not cover itself", c)
		}
		for _, shown := range []string{c.Display(), c.Describe()} {
			if strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) || shown == "" {
				t.Fatalf("%q shows %q", c, shown)
			}
		}
		c.Broad()
		for _, other := range []string{"fs.write:/**/a", "fs.write:*/a", "fs.write:~/?", "net.connect:*.a.com", "process.spawn"} {
			must(t, other).Covers(c)
			c.Covers(must(t, other))
		}
		if r, err := c.Resolve(capability.Base{Home: "/home/u", Dir: "/work"}); err == nil && !r.Resolved() {
			t.Fatalf("%q resolves to %q", c, r)
		}
	})
}

// FuzzForPath holds that a path, whatever it holds, comes back exactly and
// matches itself only.
func FuzzForPath(f *testing.F) {
	f.Add("/a/*", "/a/b")
	f.Add("/a\xff\n", "/a")
	f.Fuzz(func(t *testing.T, p, other string) {
		c, err := capability.ForPath(capability.FSRead, p)
		if err != nil {
			return
		}
		pattern, _ := c.Pattern()
		literal, ok := pattern.Literal()
		if !ok || literal != path.Clean(p) || !pattern.MatchExact(p) {
			t.Fatalf("%q became %q", p, c)
		}
		if strings.HasPrefix(other, "/") && pattern.MatchExact(other) != (path.Clean(other) == literal) {
			t.Fatalf("%q matches %q", c, other)
		}
	})
}
