package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// consentPack asks for something of each sort, and its author wrote what a
// terminal would obey.
const consentPack = `{"id": "org.example.consent", "version": "1.0", "kind": "cli-tool", "entry": ["sh", "-c", "true"],
 "description": "Reads",
 "capabilities": [{"capability": "fs.read:/etc/hostname", "reason": "to greet"}, "net.connect:example.org:443", "net.connect:*"]}`

// At a terminal, what a pack asks for is shown in groups and in words, and nothing
// but a clear yes installs it; what is broad needs its id.
func TestConsent(t *testing.T) {
	for name, tc := range map[string]struct {
		typed  []string
		status int
		grants []string
	}{
		"no":                {[]string{"n"}, 125, nil},
		"nothing":           {[]string{""}, 125, nil},
		"not quite a yes":   {[]string{"yeah"}, 125, nil},
		"an end":            {[]string{"\x04"}, 125, nil},
		"later":             {[]string{"l"}, 0, []string{}},
		"yes, but":          {[]string{"y", "y"}, 0, []string{"fs.read:/etc/hostname", "net.connect:example.org:443"}},
		"yes, all":          {[]string{"yes", "org.example.consent"}, 0, []string{"fs.read:/etc/hostname", "net.connect:example.org:443", "net.connect:*"}},
		"yes, and the end":  {[]string{"y", "\x04"}, 125, nil},
		"an id for another": {[]string{"y", "org.example.consent2"}, 0, []string{"fs.read:/etc/hostname", "net.connect:example.org:443"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			dir := filepath.Join(b.dir, "pack")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(consentPack), 0o644); err != nil {
				t.Fatal(err)
			}
			x := startOn(t, b.command("pack", "install", dir), 120, 40)
			x.expect("signed by nobody")
			x.expect("What is broad")
			x.expect("connect to any public address")
			x.expect("The network")
			x.expect("connect to example.org:443")
			x.expect("Files")
			x.expect(`read /etc/hostname: "to greet"`)
			questions := []string{"[N]o: ", "type org.example.consent; anything else leaves it out: "}
			for i, text := range tc.typed {
				x.expect(questions[i])
				if text != "\x04" {
					text += "\n"
				}
				x.typed(text)
			}
			x.ends(tc.status)
			installed := strings.Contains(b.run("pack", "ls", "--json").out, "org.example.consent")
			if installed != (tc.grants != nil) {
				t.Errorf("it is installed: %v", installed)
			}
			listed := b.run("grants", "ls", "--json").out
			for _, c := range []string{"fs.read:/etc/hostname", "net.connect:example.org:443", "net.connect:*"} {
				granted := strings.Contains(listed, `"`+c+`"`)
				want := false
				for _, g := range tc.grants {
					want = want || g == c
				}
				if granted != want {
					t.Errorf("%s was granted: %v", c, granted)
				}
			}
		})
	}
}

// What a pack's author writes cannot rewrite the question: a manifest with it is
// refused, and a name of its folder is shown escaped.
func TestConsentHostile(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(b.dir, "pa\x1b[2Jck")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ambit.json")
	for _, bad := range []string{`\u001b[2J`, `\u202e`, `a\nIt asks for nothing`} {
		text := strings.Replace(consentPack, "to greet", bad, 1)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := b.run("pack", "install", "--lazy", dir); r.status != 125 || strings.ContainsAny(r.err, "\x1b\u202e") {
			t.Errorf("%q: status %d, %q", bad, r.status, r.err)
		}
	}
	if err := os.WriteFile(path, []byte(consentPack), 0o644); err != nil {
		t.Fatal(err)
	}
	x := startOn(t, b.command("pack", "install", dir), 120, 40)
	x.expect(`pa\x1b[2Jck`)
	x.expect("[N]o: ")
	x.typed("n\n")
	x.ends(125)
	if strings.Contains(x.shown(), "\x1b[2J") {
		t.Errorf("the terminal was cleared: %q", x.shown())
	}
}
