package capability_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
)

// TestRequests gives each accepted spelling of rules beside the canonical one; ""
// stands for a refusal.
func TestRequests(t *testing.T) {
	for text, want := range map[string]string{
		"a.com/http":                                   "a.com/http",
		"a.com:443/http":                               "a.com:443/http",
		"[::1]:80/http:GET":                            "[::1]:80/http:GET",
		"10.0.0.0/8/http:GET":                          "10.0.0.0/8/http:GET",
		"A.com/http:*":                                 "a.com/http",
		"a.com/http:*:/**":                             "a.com/http",
		"a.com/http:/**,/a":                            "a.com/http",
		"a.com/http:PUT,GET,HEAD,PUT":                  "a.com/http:GET,PUT",
		"a.com/http:HEAD":                              "a.com/http:HEAD",
		"a.com/http:GET:/b,/a,/b":                      "a.com/http:GET:/a,/b",
		"a.com/http:/a/**,/a/b,/a/*/c,/c":              "a.com/http:/a/**,/c",
		"a.com/http:/a/**/**/b":                        "a.com/http:/a/**/b",
		"a.com/http:/":                                 "a.com/http:/",
		"a.com/http:/a/":                               "a.com/http:/a/",
		"a.com/http:/v1:run":                           "a.com/http:/v1:run",
		"a.com/http:/%61%2a%2C%20%c3%A9%25":            "a.com/http:/a%2A%2C%20%C3%A9%25",
		`a.com/http:/[x]"<|>^`:                         "a.com/http:/%5Bx%5D%22%3C%7C%3E%5E",
		"a.com/http:/a*b*":                             "a.com/http:/a*b*",
		"a.com/http:/.well-known/a..b":                 "a.com/http:/.well-known/a..b",
		"a.com/http:GET:/" + strings.Repeat("a", 4095): "a.com/http:GET:/" + strings.Repeat("a", 4095),

		"a.com/udp/http": "", "a.com/http/udp": "", "a.com/httpx": "", "a.com/http:": "", "a.com/http:get": "", "a.com/http:GET,": "",
		"a.com/http:CONNECT": "", "a.com/http:TRACE": "", "a.com/http:" + strings.Repeat("A", 33): "", "a.com/http:GET:": "", "a.com/http:GET:a": "",
		"a.com/http:/a,b": "", "a.com/http:/a//b": "", "a.com/http://a": "", "a.com/http:/a/../b": "", "a.com/http:/.": "", "a.com/http:/%2e%2E/b": "",
		"a.com/http:/..;x/b": "", "a.com/http:/a%2fb": "", "a.com/http:/a%5cb": "", `a.com/http:/a\b`: "", "a.com/http:/a%00": "", "a.com/http:/a%7f": "",
		"a.com/http:/a?b": "", "a.com/http:/a#b": "", "a.com/http:/a b": "", "a.com/http:/é": "", "a.com/http:/a%": "", "a.com/http:/a%4": "",
		"a.com/http:/a%+1": "", "a.com/http:/a**": "", "a.com/http:/***": "", "a.com/http:/%252e%252e/a": "", "a.com/http:/%252Fa": "",
		"a.com/http:/" + strings.Repeat("a", 4096): "", "/http": "", "a..b/http": "",
	} {
		for _, kind := range []string{"net.connect:", "net.stream:"} {
			c, err := capability.Parse(kind + text)
			if want == "" {
				if syntax, ok := errors.AsType[*capability.SyntaxError](err); !ok || syntax.Offset < len(kind) || syntax.Offset > len(kind+text) {
					t.Errorf("Parse(%.80q) = %.80q, %v; want a SyntaxError in the scope", kind+text, c, err)
				}
				continue
			}
			if c.String() != kind+want {
				t.Errorf("Parse(%.80q) = %.80q, %v; want %.80q", kind+text, c, err, kind+want)
			}
			if again, err := capability.Parse(c.Display()); err != nil || again != c {
				t.Errorf("Parse(%q.Display()) = %q, %v", c, again, err)
			}
		}
	}
}

// TestCoversRequests gives pairs of scopes of which the first covers the second,
// or must not.
func TestCoversRequests(t *testing.T) {
	for _, tc := range []struct {
		c, d string
		want bool
	}{
		{"a.com", "a.com:443/http:PUT:/x", true},
		{"a.com/http", "a.com:443/http:PUT:/x", true},
		{"a.com/http", "a.com:443", false},
		{"a.com/http:GET", "a.com:443", false},
		{"*", "a.com/http", true},
		{"a.com:443/http:GET", "a.com/http:GET", false},
		{"a.com/http:GET", "b.com/http:GET", false},
		{"*.a.com/http:GET", "x.a.com:443/http:GET:/y", true},
		{"a.com/http:GET", "a.com/http:HEAD:/x", true},
		{"a.com/http:HEAD", "a.com/http:GET:/x", false},
		{"a.com/http:GET", "a.com/http:POST:/x", false},
		{"a.com/http:GET", "a.com/http:/x", false},
		{"a.com/http:GET,POST", "a.com/http:POST,HEAD:/x", true},
		{"a.com/http:/x", "a.com/http:PUT:/x", true},
		{"a.com/http:/x", "a.com/http:PUT", false},
		{"a.com/http:/x", "a.com/http:/x/y", false},
		{"a.com/http:/x", "a.com/http:/x/", false},
		{"a.com/http:/x/**", "a.com/http:/x", true},
		{"a.com/http:/x/**", "a.com/http:/x/", true},
		{"a.com/http:/x/**", "a.com/http:/x/y/z", true},
		{"a.com/http:/x/**", "a.com/http:/xy", false},
		{"a.com/http:/x/**", "a.com/http:/X/y", false},
		{"a.com/http:/x/*", "a.com/http:/x/y", true},
		{"a.com/http:/x/*", "a.com/http:/x/y/z", false},
		{"a.com/http:/x/*", "a.com/http:/x/**", false},
		{"a.com/http:/**/x", "a.com/http:/a/b/x", true},
		{"a.com/http:/*.git/**", "a.com/http:/a.git/info", true},
		{"a.com/http:/*.git/**", "a.com/http:/a.gitx/info", false},
		{"a.com/http:/%C3*", "a.com/http:/%C3%A9", true},
		{"a.com/http:/*9", "a.com/http:/%C3%A9", false},
		{"a.com/http:/a*", "a.com/http:/%61%C3%A9b", true},
		{"a.com/http:/%2A", "a.com/http:/x", false},
		{"a.com/http:/a,/b", "a.com/http:/b", true},
		{"a.com/http:/a,/b", "a.com/http:/a,/b,/c", false},
	} {
		if got := must(t, "net.connect:"+tc.c).Covers(must(t, "net.connect:"+tc.d)); got != tc.want {
			t.Errorf("%s covers %s: got %v, want %v", tc.c, tc.d, got, tc.want)
		}
		if got := must(t, "net.stream:"+tc.c).Covers(must(t, "net.connect:"+tc.d)); got != tc.want {
			t.Errorf("a stream of %s covers %s: got %v, want %v", tc.c, tc.d, got, tc.want)
		}
		if must(t, "net.connect:"+tc.c).Covers(must(t, "net.stream:"+tc.d)) {
			t.Errorf("%s covers a stream of %s", tc.c, tc.d)
		}
	}
}

// TestTarget gives paths as they are sent beside their canonical form; "" stands
// for one that servers read in different ways.
func TestTarget(t *testing.T) {
	for path, want := range map[string]string{
		"/": "/", "/a": "/a", "/a/": "/a/", "/%61": "/a", "/%7e": "/~", "/~": "/~", "/a,b*": "/a%2Cb%2A", "/a%2cb%2a": "/a%2Cb%2A", "/**": "/%2A%2A",
		"/a%20b+c": "/a%20b+c", "/%C3%a9": "/%C3%A9", "/%FF": "/%FF", "/100%25": "/100%25", "/a%3Fb%23": "/a%3Fb%23", "/...": "/...", "/a;b=c": "/a;b=c",
		"/.x": "/.x", "/{id}": "/%7Bid%7D", "/a%25zz": "/a%25zz",

		"": "", "a": "", "*": "", "//": "", "/a//b": "", "//a": "", "/a//": "", "/.": "", "/..": "", "/a/./b": "", "/a/../b": "", "/%2e%2e/a": "", "/.%2E/a": "",
		"/..;/a": "", "/.;x=y/a": "", "/a%2fb": "", "/a%2Fb": "", `/a\b`: "", "/a%5Cb": "", "/a%00b": "", "/a%0d%0ab": "", "/a%7F": "",
		"/%252e%252e/a": "", "/a%252fb": "", "/a%255cb": "", "/%25252e": "", "/a%2500": "",
		"/a?b": "", "/a#b": "", "/a b": "", "/é": "", "/a\n": "", "/%": "", "/%4": "", "/%zz": "", "/" + strings.Repeat("a", 4096): "",
	} {
		if got, plain := capability.Target(path); got != want || plain != (want != "") {
			t.Errorf("Target(%.80q) = %q, %v; want %q", path, got, plain, want)
		}
	}
}

func TestTargetRule(t *testing.T) {
	for text, ok := range map[string]bool{"/a,b/**": true, "": false, "a": false, "/a?b": false} {
		if want := capability.TargetRule(text); (want == "") != ok {
			t.Errorf("%q: %q", text, want)
		}
	}
}

// TestAsked: what is put together quickly is what is parsed otherwise.
func TestAsked(t *testing.T) {
	flows := []string{"net.connect:a.com:443", "net.connect:a.com", "net.stream:[::1]:80", "net.connect:10.0.0.0/8", "net.connect:*", "net.connect:a.com/udp", "net.connect:a.com/http:GET", "fs.read:/a"}
	rapid.Check(t, func(t *rapid.T) {
		flow := must2(t, rapid.SampledFrom(flows).Draw(t, "flow"))
		method := rapid.SampledFrom([]string{"GET", "HEAD", "PUT", "get", "CONNECT", "", "X-Y", strings.Repeat("A", 33)}).Draw(t, "method")
		path := "/" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b.c", "/", "//", ".", "..", ";x", "%2e", "%61", "*", "**", ",", "~", "$&", "%", "?", "#", "\\", "é", "A9", strings.Repeat("a", 4090)}), 0, 6).Draw(t, "path"), "")
		got, plain, err := flow.Asked(method, path)
		want := ""
		parsed, f := parseSlowly(path)
		if !f {
			parsed = ""
		}
		slow, werr := flow.Request(method, parsed)
		if werr == nil {
			want = slow.String()
		}
		if got.String() != want || (err == nil) != (werr == nil) || plain != f {
			t.Fatalf("%s %s %.80q: got %.80q, %v, %v; want %.80q, %v, %v", flow, method, path, got, plain, err, want, f, werr)
		}
	})
}

// parseSlowly is Target without a shorter way, by what rules for a path are.
func parseSlowly(path string) (canonical string, plain bool) {
	c, err := capability.Parse("net.connect:a.com/http:GET:" + strings.NewReplacer("*", "%2A", ",", "%2C").Replace(path))
	return strings.TrimPrefix(c.String(), "net.connect:a.com/http:GET:"), err == nil
}

func TestNarrow(t *testing.T) {
	flow := must(t, "net.connect:a.com:443")
	for _, tc := range []struct {
		method, path, want string
	}{
		{"GET", "/a", "net.connect:a.com:443/http:GET:/a"},
		{"PUT", "/a%2A%2C", "net.connect:a.com:443/http:PUT:/a%2A%2C"},
		{"GET", "", "net.connect:a.com:443/http:GET"},
		{"get", "/a", ""},
		{"CONNECT", "/a", ""},
	} {
		if got, err := flow.Request(tc.method, tc.path); got.String() != tc.want {
			t.Errorf("%s %s: got %q, %v", tc.method, tc.path, got, err)
		}
	}
	both, err := flow.Narrow([]string{"PUT", "GET"}, []string{"/a,b", "/c"})
	if want := "net.connect:a.com:443/http:GET,PUT:/a%2Cb,/c"; err != nil || both.String() != want {
		t.Errorf("got %q, %v", both, err)
	}
	for _, text := range []string{"fs.read:/a", "net.connect:a.com/udp", "net.connect:a.com/http", "process.kill"} {
		if c, err := must(t, text).Narrow(nil, nil); err == nil {
			t.Errorf("%s was narrowed to %s", text, c)
		}
	}
	for text, want := range map[string]bool{"net.connect:a.com": false, "net.connect:a.com/http": true, "net.stream:a.com/http:GET": true, "fs.read:/http": false} {
		if must(t, text).Requests() != want {
			t.Errorf("%s is for requests: %v", text, !want)
		}
	}
	for text, want := range map[string]string{
		"net.connect:a.com:1/http:GET": "net.connect:a.com:1", "net.connect:a.com/udp": "net.connect:a.com/udp", "net.stream:a.com/http": "net.stream:a.com", "fs.read:/http": "fs.read:/http",
	} {
		if got := must(t, text).Flow(); got.String() != want {
			t.Errorf("the flow of %s: %s", text, got)
		}
	}
}

func TestAnyPath(t *testing.T) {
	for text, want := range map[string]string{
		"net.connect:a.com/http:GET:/a,/b": "net.connect:a.com/http:GET", "net.stream:a.com/http:/a": "net.stream:a.com/http",
		"net.connect:a.com/http": "net.connect:a.com/http", "net.connect:a.com": "net.connect:a.com", "fs.read:/http": "fs.read:/http",
	} {
		if got := must(t, text).AnyPath(); got.String() != want {
			t.Errorf("%s for any path: %s, want %s", text, got, want)
		}
	}
}

func TestHosts(t *testing.T) {
	for text, want := range map[string]string{
		"net.connect:*/http": "  false invalid Prefix true true", "net.connect:a.com:1/http:GET": " a.com false invalid Prefix false true",
		"net.stream:*.a.com": " a.com true invalid Prefix false true", "net.connect:10.0.0.0/8:1": "  false 10.0.0.0/8 false true",
		"fs.read:/a": "  false invalid Prefix false false",
	} {
		name, below, addrs, anywhere, ok := must(t, text).Hosts()
		if got := fmt.Sprintf(" %s %v %v %v %v", name, below, addrs, anywhere, ok); got != want {
			t.Errorf("%s leads to %q, want %q", text, got, want)
		}
	}
}

func TestAt(t *testing.T) {
	for _, tc := range []struct{ c, flow, want string }{
		{"net.connect:*.a.com/http:GET:/x", "net.connect:y.a.com:443", "net.connect:y.a.com:443/http:GET:/x"},
		{"net.stream:a.com/http:GET", "net.connect:a.com:80", "net.stream:a.com:80/http:GET"},
		{"net.connect:a.com", "net.connect:a.com:80", "net.connect:a.com:80"},
		{"net.connect:a.com/http", "net.connect:a.com:22", ""},
		{"net.connect:a.com/http", "net.connect:a.com:80/http:GET", ""},
		{"net.connect:a.com/http", "net.connect:a.com:80/udp", ""},
		{"net.connect:a.com/http", "net.stream:a.com:80", ""},
		{"process.kill", "process.kill", ""},
	} {
		got, ok := must(t, tc.c).At(must(t, tc.flow))
		if got.String() != tc.want || ok != (tc.want != "") {
			t.Errorf("%s at %s: got %q, %v", tc.c, tc.flow, got, ok)
		}
	}
}

func TestToward(t *testing.T) {
	for _, tc := range []struct{ c, flow, want string }{
		{"net.connect:a.com:80/http:GET:/x", "net.connect:192.0.2.1:80", "net.connect:192.0.2.1:80/http:GET:/x"},
		{"net.stream:a.com:80/http:GET", "net.connect:[2001:db8::1]:80", "net.stream:[2001:db8::1]:80/http:GET"},
		{"net.connect:a.com:80", "net.connect:192.0.2.1:80/udp", "net.connect:192.0.2.1:80/udp"},
		{"net.connect:a.com:80/http", "net.connect:192.0.2.1:80/http:GET", ""},
		{"net.connect:a.com:80/http", "process.kill", ""},
		{"process.kill", "net.connect:192.0.2.1:80", ""},
	} {
		got, ok := must(t, tc.c).Toward(must(t, tc.flow))
		if got.String() != tc.want || ok != (tc.want != "") {
			t.Errorf("%s toward %s: got %q, %v", tc.c, tc.flow, got, ok)
		}
	}
}

// TestTargetLaws: what a pattern covers is what it matches, byte by byte.
func TestTargetLaws(t *testing.T) {
	part := rapid.StringMatching(`(a|b|%41|%C3|%2A|\*){0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) string {
			parts := rapid.SliceOfN(rapid.OneOf(part, rapid.Just("**")), 1, 4).Draw(t, label)
			for i := range len(parts) - 1 {
				if parts[i] == "" {
					parts[i] = "x"
				}
			}
			return "/" + strings.ReplaceAll(strings.ReplaceAll(strings.Join(parts, "/"), "***", "**"), "***", "**")
		}
		path := strings.ReplaceAll(draw("path"), "*", "c")
		canonical, plain := capability.Target(path)
		if !plain {
			t.Fatalf("%q is not plain", path)
		}
		if again, plain := capability.Target(canonical); !plain || again != canonical {
			t.Fatalf("%q became %q, then %q", path, canonical, again)
		}
		c, err := capability.Parse("net.connect:a.com/http:" + draw("pattern"))
		if err != nil {
			return // ** within a part
		}
		d := must2(t, "net.connect:a.com/http:"+canonical)
		pattern := strings.TrimPrefix(c.Scope(), "a.com/http")
		if pattern = strings.TrimPrefix(pattern, ":"); pattern == "" {
			pattern = "/**"
		}
		if got, want := c.Covers(d), slowly(strings.Split(pattern, "/")[1:], strings.Split(canonical, "/")[1:]); got != want {
			t.Fatalf("%s covers %s: %v, want %v", c, d, got, want)
		}
	})
}

func must2(t *rapid.T, text string) capability.Capability {
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// slowly matches segments obviously.
func slowly(pattern, path []string) bool {
	if len(pattern) == 0 {
		return len(path) == 0
	}
	if pattern[0] == "**" {
		return slowly(pattern[1:], path) || len(path) > 0 && slowly(pattern, path[1:])
	}
	return len(path) > 0 && slowPart(pattern[0], path[0]) && slowly(pattern[1:], path[1:])
}

// slowPart matches one segment; %NN is one symbol.
func slowPart(pattern, part string) bool {
	width := func(s string) int {
		if s[0] == '%' {
			return 3
		}
		return 1
	}
	switch {
	case pattern == "":
		return part == ""
	case pattern[0] == '*':
		return slowPart(pattern[1:], part) || part != "" && slowPart(pattern, part[width(part):])
	case part == "":
		return false
	}
	n := width(pattern)
	return width(part) == n && pattern[:n] == part[:n] && slowPart(pattern[n:], part[n:])
}

// FuzzTarget holds for any path: it has one canonical form, which covers it and
// nothing that differs, or none.
func FuzzTarget(f *testing.F) {
	for _, s := range []string{"/a/%2e%2e/b", "/a%2fb", "//", "/%C3%A9*,", "/a;b/..;/c", "/%25%32%65"} {
		f.Add(s, "/a")
	}
	f.Fuzz(func(t *testing.T, path, other string) {
		canonical, plain := capability.Target(path)
		if !plain {
			return
		}
		if again, ok := capability.Target(canonical); !ok || again != canonical {
			t.Fatalf("%q: %q, then %q", path, canonical, again)
		}
		for _, part := range strings.Split(canonical, "/")[1:] {
			if part == "." || part == ".." || strings.ContainsAny(part, "\\\x00\n?# ") {
				t.Fatalf("%q: %q has an odd part", path, canonical)
			}
		}
		c := must(t, "net.connect:a.com/http:GET:"+canonical)
		if second, ok := capability.Target(other); ok {
			if c.Covers(must(t, "net.connect:a.com/http:GET:"+second)) != (second == canonical) {
				t.Fatalf("%q and %q", canonical, second)
			}
		}
	})
}

// TestDestination gives the one connection that something goes by; "" where it may
// lead to several, or to none.
func TestDestination(t *testing.T) {
	for text, want := range map[string]string{
		"net.connect:a.com:443":               "net.connect:a.com:443",
		"net.connect:a.com:443/http:GET:/a":   "net.connect:a.com:443",
		"net.stream:a.com:443/http:/a":        "net.connect:a.com:443",
		"net.connect:a.com:53/udp":            "net.connect:a.com:53/udp",
		"net.connect:10.0.0.1:80":             "net.connect:10.0.0.1:80",
		"net.connect:[2001:db8::1]:443":       "net.connect:[2001:db8::1]:443",
		"net.connect:a.com":                   "", // on two ports
		"net.connect:a.com:1-2":               "",
		"net.connect:*.a.com:443":             "",
		"net.connect:*:443":                   "",
		"net.connect:10.0.0.0/8:443":          "",
		"net.connect:10.0.0.0/8:443/http:GET": "",
		"fs.read:/a":                          "",
		"process.spawn":                       "",
	} {
		got, ok := must(t, text).Destination()
		if ok != (want != "") || ok && got != must(t, want) || !ok && !got.IsZero() {
			t.Errorf("%s: got %s, %v, want %q", text, got.Display(), ok, want)
		}
	}
}
