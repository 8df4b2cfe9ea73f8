package learn_test

import (
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/learn"
)

func TestText(t *testing.T) {
	d := newDisk("/home/u/packs/app/out/", "/home/u/notes", "/srv/x")
	trail := d.touches("make /home/u/packs/app/out/b", "make /home/u/packs/app/out/a", "read /home/u/notes", "read /srv/x", "run /usr/bin/git", "net.connect:a.example.com:443")
	trail = append(trail, learn.Touch{Capability: trail[2].Capability, Program: "git", Count: 3})
	got, err := learn.Text(learn.Pack{
		ID: "local.app", Entry: []string{"python3", "./a b.py", `say "<hi>"`}, Env: []string{"LANG"},
		Limits: map[string]string{"wall": "1m", "memory": "1G"}, Home: "none",
	}, learn.Collapse(trail, nil, base, d), base)
	if err != nil {
		t.Fatal(err)
	}
	want := `// Written by 'ambit learn': what this program used when it was run, and nothing
// else. A manifest asks, it gives nothing: read it, take out what should not be
// there, and grant the rest with 'ambit grants add --pack FOLDER --all'.
{
  "id": "local.app",
  "kind": "cli-tool",
  "entry": ["python3", "./a b.py", "say \"<hi>\""],
  "capabilities": [
    "fs.read:/srv/x", // read by prog
    "fs.read:~/notes", // read by git (3×), prog
    "fs.write:./out", // changed by prog (2×): a, b
    "net.connect:a.example.com:443", // used by prog
    "process.spawn:/usr/bin/git", // run by prog
  ],
  "env": ["LANG"],
  "limits": {"memory": "1G", "wall": "1m"},
  "home": "none",
}
`
	if strings.ReplaceAll(string(got), "`", "'") != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A name cannot end the comment that it stands in, nor the text.
func TestTextKeepsNamesInTheirPlace(t *testing.T) {
	const evil = "a\n\"fs.read:/home/u/.ssh\", //\u2028\r\x1b[2J"
	d := newDisk("/srv/app/x")
	touch := d.touch("make /srv/app/new")
	touch.Name, touch.Program = evil, evil
	got, err := learn.Text(learn.Pack{ID: "local.app", Entry: []string{"true"}}, learn.Collapse([]learn.Touch{touch}, nil, base, d), base)
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse("ambit.json", got)
	if err != nil || len(m.Wants) != 1 || m.Wants[0].Capability.Display() != "fs.write:/srv/app" {
		t.Errorf("%v %+v\n%s", err, m.Wants, got)
	}
	if strings.ContainsAny(string(got), "\x1b\r\u2028") {
		t.Errorf("it would change a terminal: %q", got)
	}
}

func TestTextRefuses(t *testing.T) {
	big := make([]learn.Want, 0, 4000)
	for i := range cap(big) {
		big = append(big, learn.Want{Capability: mustParse(t, "fs.read:/srv/some/longer/path/"+strings.Repeat("x", i%50+1)+"/"+strings.Repeat("y", i/50+1))})
	}
	for name, test := range map[string]struct {
		pack  learn.Pack
		wants []learn.Want
		want  string
	}{
		"an argument that is not UTF-8": {learn.Pack{ID: "a", Entry: []string{"true", "\xff"}}, nil, "not UTF-8"},
		"an id that is none":            {learn.Pack{ID: "a b", Entry: []string{"true"}}, nil, "id"},
		"a program elsewhere":           {learn.Pack{ID: "a", Entry: []string{"/srv/x"}}, nil, "a file of the pack"},
		"more than a manifest holds":    {learn.Pack{ID: "a", Entry: []string{"true"}}, big, "bytes"},
	} {
		if _, err := learn.Text(test.pack, test.wants, base); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v; want something about %q", name, err, test.want)
		}
	}
}

func mustParse(t *testing.T, text string) capability.Capability {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSpell(t *testing.T) {
	for text, want := range map[string]string{
		"fs.read:/home/u/packs/app":           "fs.read:.",
		"fs.read:/home/u/packs/app/x":         "fs.read:./x",
		"fs.read:/home/u/packs/app/~x/*.c":    "fs.read:./~x/*.c",
		"fs.read:/home/u/packs/apple":         "fs.read:~/packs/apple",
		"fs.write:/home/u/ x":                 "fs.write:~/ x",
		"fs.read:/home/u":                     "fs.read:~",
		"process.spawn:/home/u/packs/app/run": "process.spawn:./run",
		"process.spawn":                       "process.spawn",
		"fs.read:/home/uu/x":                  "fs.read:/home/uu/x",
		"net.listen:80":                       "net.listen:80",
	} {
		got := base.Spell(mustParse(t, text))
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		back, err := mustParse(t, got).Resolve(capability.Base{Home: base.Home, Dir: base.Pack})
		if err != nil || back.String() != text {
			t.Errorf("%s: %q means %s, %v", text, got, back, err)
		}
	}
}
