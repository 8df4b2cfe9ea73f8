package capability_test

import (
	"errors"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
)

func must(t testing.TB, text string) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestParse gives each accepted text beside its canonical form.
func TestParse(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"fs.read:/home/u", "fs.read:/home/u"},
		{"fs.read:/home//u/./x/", "fs.read:/home/u/x"},
		{"fs.read:/home/u/../v", "fs.read:/home/v"},
		{"fs.read:/x/**", "fs.read:/x"},
		{"fs.read:/x/**/**/y", "fs.read:/x/**/y"},
		{"fs.read:~", "fs.read:~"},
		{"fs.read:~/", "fs.read:~"},
		{"fs.read:~/Documents/*.pdf", "fs.read:~/Documents/*.pdf"},
		{"fs.read:.", "fs.read:."},
		{"fs.read:./x", "fs.read:x"},
		{"fs.read:x/..", "fs.read:."},
		{"fs.read:./~x", "fs.read:./~x"},
		{"fs.read:./ x", "fs.read:./ x"},
		{"fs.read:**", "fs.read:."},
		{"fs.read:/a/*?*?x", "fs.read:/a/??*x"},
		{"fs.read:/a/?*", "fs.read:/a/*"},
		{"fs.read:/a/[b]", "fs.read:/a/b"},
		{"fs.read:/a/[z-ac]", ""},
		{"fs.read:/a/[b-dcxe]", "fs.read:/a/[b-ex]"},
		{"fs.read:/a/[^b-d]", "fs.read:/a/[!b-d]"},
		{`fs.read:/a/[\]\-]`, `fs.read:/a/[\-\]]`},
		{`fs.read:/a/\*\]`, `fs.read:/a/\*]`},
		{`fs.read:/a/\x0a\xff`, "fs.read:/a/\n\xff"},
		{"fs.read:/a:b,c\n\xff", "fs.read:/a:b,c\n\xff"},
		{"fs.write:/**/.env", "fs.write:/**/.env"},
		{`FsRead("/home/me/Projects/**")`, "fs.read:/home/me/Projects"},
		{`Capability::FsWrite("/a\"b")`, `fs.write:/a"b`},
		{"fs.read.~/Documents/*.pdf", "fs.read:~/Documents/*.pdf"},
		{"fs.read.*", "fs.read:~"},
		{"net.access", "net.connect:*"},
		{"NetworkOutbound", "net.connect:*"},
		{"NetworkInbound(8080)", "net.listen:8080"},
		{"NetworkStream", "net.stream:*"},
		{"ui.tabs.open", "ui.tab.open"},
		{"db.query.*", "db.query:*"},
		{"require_host_execution", "host.execute"},
		{`SecretsRead("github-token")`, "secret.read:github-token"},
		{`UsbDevice("046D:C52B")`, "usb.device:046d:c52b"},
		{"net.connect:API.GitHub.com.:443", "net.connect:api.github.com:443"},
		{"net.connect:a.com:*/udp", "net.connect:a.com:*/udp"},
		{"net.connect:10.1.2.3/8", "net.connect:10.0.0.0/8"},
		{"net.connect:::1", "net.connect:[::1]"},
		{"net.connect:[::1]:80", "net.connect:[::1]:80"},
		{"net.connect:::ffff:127.0.0.1", "net.connect:127.0.0.1"},
		{"net.connect:*.a.com/tcp", "net.connect:*.a.com"},
		{"net.connect:2130706433", ""},
		{"net.connect:0x7f.1", ""},
		{"net.connect:127.1", ""},
		{"net.connect:0177.0.0.1", ""},
		{"net.connect:0.0.0.0/0", ""},
		{"net.listen:8080/9090", "net.listen:8080/9090"},
		{"dns.lookup:Example.com/txt,mx,TXT", "dns.lookup:example.com/MX,TXT"},
		{"secret.use:tok@api.a.com", "secret.use:tok@api.a.com"},
		{"inference.use:anthropic/*", "inference.use:anthropic"},
		{"process.spawn", "process.spawn"},
		{"fs.read:/", ""}, {"fs.read:/**", ""}, {"fs.read:/*", ""}, {"fs.read:~/..", ""}, {"fs.read:/a/..", ""},
		{"fs.read:/..", ""}, {"fs.read:../x", ""}, {"fs.read:~u/x", ""}, {"fs.read:/a/*/../b", ""}, {"fs.read:/a\x00", ""},
		{"fs.read", ""}, {"fs.read:", ""}, {"", ""}, {"nonsense", ""}, {"process.kill:x", ""}, {"FsRead", ""},
	} {
		c, err := capability.Parse(tc.text)
		var syntax *capability.SyntaxError
		if err != nil && (!errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(tc.text)) {
			t.Errorf("Parse(%q): %#v, want a SyntaxError with an offset in the text", tc.text, err)
		}
		if c.String() != tc.want {
			t.Errorf("Parse(%q) = %q, %v; want %q", tc.text, c, err, tc.want)
		}
		if again, err := capability.Parse(c.Display()); !c.IsZero() && (err != nil || again != c) {
			t.Errorf("Parse(%q.Display()) = %q, %v", c, again, err)
		}
	}
}

// TestCovers gives pairs of which the first covers the second, or must not.
func TestCovers(t *testing.T) {
	for _, tc := range []struct {
		c, d string
		want bool
	}{
		{"fs.read:/home", "fs.read:/home", true},
		{"fs.read:/home", "fs.read:/home/u/x", true},
		{"fs.read:/home", "fs.read:/homeevil", false},
		{"fs.write:/a", "fs.read:/a/b", true},
		{"fs.write:/a", "fs.append:/a", true},
		{"fs.append:/a", "fs.read:/a", false},
		{"fs.read:/a", "fs.write:/a", false},
		{"fs.read:/a/*.pdf", "fs.read:/a/x.pdf", true},
		{"fs.read:/a/*.pdf", "fs.read:/a/b/x.pdf", false},
		{"fs.read:/a/**/*.pdf", "fs.read:/a/b/x.pdf", true},
		{"fs.read:/a/**/*.pdf", "fs.read:/a/b/**/x*.pdf", true},
		{"fs.read:/a/*", "fs.read:/a/**/b", true},
		{"fs.read:/a/*", "fs.read:/a", false},
		{"fs.read:/a/[a-f]x", "fs.read:/a/[b-d]x", true},
		{"fs.read:/a/[!x]", "fs.read:/a/[b-d]", true},
		{"fs.read:/a", "fs.read:~/a", false},
		{"fs.read:~/a", "fs.read:/a", false},
		{"fs.read:*.pdf", "fs.read:x.pdf", true},
		{"fs.read:*.pdf", "fs.read:/x.pdf", false},
		{`fs.read:/a/\*b`, `fs.read:/a/\*b/c`, true},
		{`fs.read:/a/\*b`, `fs.read:/a/xb`, false},
		{"fs.read:/**/b", "fs.read:/a/b/c", true},
		{"net.connect:*", "net.connect:a.com", true},
		{"net.connect:*", "net.connect:localhost", false},
		{"net.connect:*", "net.connect:db", false},
		{"net.connect:*", "net.connect:127.0.0.1", false},
		{"net.connect:*", "net.connect:10.0.0.0/8", false},
		{"net.connect:*", "net.connect:8.8.8.8:22", true},
		{"net.connect:*", "net.connect:[2606:4700::1]", true},
		{"net.connect:*", "net.connect:[::1]", false},
		{"net.connect:*:443", "net.connect:a.com", false},
		{"net.connect:a.com", "net.connect:a.com:443", true},
		{"net.connect:a.com", "net.connect:a.com:22", false},
		{"net.connect:a.com", "net.connect:a.com:443/udp", false},
		{"net.stream:a.com", "net.connect:a.com:443", true},
		{"net.stream:*", "net.connect:*.a.com", true},
		{"net.stream:a.com", "net.connect:a.com:443/udp", false},
		{"net.stream:a.com", "net.connect:b.com", false},
		{"net.connect:a.com", "net.stream:a.com", false},
		{"net.connect:*.a.com", "net.connect:a.com", false},
		{"net.connect:*.a.com", "net.connect:x.y.a.com", true},
		{"net.connect:*.a.com", "net.connect:evila.com", false},
		{"net.connect:169.254.0.0/16", "net.connect:169.254.1.1", true},
		{"net.connect:169.254.0.0/16", "net.connect:169.254.169.254", false},
		{"process.spawn", "process.spawn:/usr/bin/git", true},
		{"process.spawn:/usr/bin", "process.spawn", false},
		{"db.query:*", "db.query:main/users", true},
		{"db.query:main", "db.query:mainframe", false},
	} {
		if got := must(t, tc.c).Covers(must(t, tc.d)); got != tc.want {
			t.Errorf("%s covers %s: got %v, want %v", tc.c, tc.d, got, tc.want)
		}
	}
}

// TestPrintable: what a person reads is what is there.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"plain name.txt":       "plain name.txt",
		"Übergröße 数据 файл ☃":  "Übergröße 数据 файл ☃",
		"\x1b[2J\a\t\n\x7f":    `\x1b[2J\x07\x09\x0a\x7f`,
		"\u0085\u009b31m":      `\xc2\x85\xc2\x9b31m`,                    // C1: CSI as one character
		"a\u202etxt.exe":       `a\xe2\x80\xaetxt.exe`,                   // right to left from here
		"a\u2066b\u2069":       `a\xe2\x81\xa6b\xe2\x81\xa9`,             // isolates
		"a\u200b\u200d\ufeffb": `a\xe2\x80\x8b\xe2\x80\x8d\xef\xbb\xbfb`, // zero width
		"a\u00a0\u2003\u3000b": `a\xc2\xa0\xe2\x80\x83\xe3\x80\x80b`,     // spaces that are none
		"a\u034f\ufe0f\u3164b": `a\xcd\x8f\xef\xb8\x8f\xe3\x85\xa4b`,     // print as nothing by their use
		"a\u2800b":             `a\xe2\xa0\x80b`,                         // a symbol that is blank
		"\xff\xc3(":            `\xff\xc3(`,                              // not UTF-8
		"\ufffd":               "\ufffd",                                 // itself: what is not UTF-8 looks otherwise
		"\U000e0041":           `\xf3\xa0\x81\x81`,                       // tags
	} {
		if got := capability.Printable(in); got != want {
			t.Errorf("Printable(%q) = %s, want %s", in, got, want)
		}
	}
}
