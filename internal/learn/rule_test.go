package learn_test

import (
	"strconv"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/learn"
)

func TestRule(t *testing.T) {
	const app = "/home/u/src/app"
	d := newDisk(app+"/main.c", app+"/.env", app+"/src/a", app+"/sub/.env", app+"/sub/b", "/home/u/notes", "/home/u/pics/a.png", "/home/u/mixed/x.pem", "/home/u/.gitconfig",
		"/home/u/.cache/go-build/00/x", "/home/u/.ssh/id_rsa", "/home/u/bin/tool", "/opt/x/bin/tool", "/home/u/.config/git/config", app+"/sock")
	for text, want := range map[string]string{ // "" allows; else words of the refusal
		"read " + app + "/main.c":            "",
		"read " + app + "/src":               "",
		"read " + app:                        "", // with the secrets hidden, see below
		"read " + app + "/.env":              "settings with secrets",
		"read /home/u/notes":                 "",
		"read /home/u/.gitconfig":            "",
		"read /home/u/.config/git/config":    "",
		"read /home/u/.ssh/id_rsa":           "SSH keys",
		"read /home/u/.ssh":                  "SSH keys",
		"read /home/u":                       "a whole home",
		"read /home":                         "a whole home",
		"read /home/u/.config":               "above",
		"read /home/u/pics":                  "",
		"read /home/u/mixed":                 "/home/u/mixed/x.pem lies in it",
		"write " + app + "/main.c":           "",
		"write " + app + "/.env":             "settings with secrets",
		"make " + app + "/new":               "",
		"make " + app + "/server.key":        "private keys",
		"make /home/u/new":                   "above a whole home",
		"make /home/u/.ssh/authorized_keys":  "SSH keys",
		"write /home/u/notes":                "outside the project",
		"make /home/u/pics/b.png":            "outside the project",
		"make /home/u/.cache/go-build/00/y":  "",
		"write /home/u/.cache/go-build/00/x": "",
		"make /home/u/.cache/new":            "above",
		"write /opt/x/bin/tool":              "outside the project",
		"run /usr/bin/git":                   "",
		"run " + app + "/src/a":              "",
		"run /opt/x/bin/tool":                "",
		"run /home/u/bin/tool":               "neither to the system nor to the project",
		"run /home/u/.ssh/id_rsa":            "SSH keys",
		"process.spawn":                      "",
		"net.connect:a.example.com:443":      "",
		"net.connect:a.example.com:53/udp":   "",
		"net.connect:192.0.2.7:443":          "no public name",
		"net.connect:[2001:4860::1]:443":     "no public name",
		"net.connect:10.0.0.0/8":             "no public name",
		"net.connect:localhost:80":           "no public name",
		"net.connect:db.corp.internal:80":    "no public name",
		"dns.lookup:a.example.com/TXT":       "",
		"net.listen:80":                      "no rule",
		"host.execute":                       "no rule",
		"fs.read:" + app + "/*.c":            "no single file",
	} {
		a := learn.Rule{Base: base, Host: d, Net: true}.Answer(d.touch(text), learn.Object{})
		if a.Allow != (want == "") || !strings.Contains(a.Why, want) {
			t.Errorf("%s: allow %v, %q; want %q", text, a.Allow, a.Why, want)
		}
		if !a.Allow && (!a.Grant.IsZero() || a.Hide != nil) {
			t.Errorf("%s: refused, and gives %s", text, a.Grant)
		}
	}
}

func TestRuleWithoutNetwork(t *testing.T) {
	d := newDisk()
	for _, text := range []string{"net.connect:a.example.com:443", "dns.lookup:a.example.com/TXT"} {
		if a := (learn.Rule{Base: base, Host: d}).Answer(d.touch(text), learn.Object{}); a.Allow || !strings.Contains(a.Why, "--net") {
			t.Errorf("%s: %+v", text, a)
		}
	}
}

// What holds secrets is given without them.
func TestRuleHidesSecrets(t *testing.T) {
	d := newDisk("/srv/app/a", "/srv/app/.env", "/srv/app/sub/x.pem/inside", "/srv/app/sub/b")
	r := learn.Rule{Base: base, Host: d}
	for _, text := range []string{"read /srv/app", "make /srv/app/new"} {
		if a := r.Answer(d.touch(text), learn.Object{}); !a.Allow || strings.Join(a.Hide, " ") != "/srv/app/.env /srv/app/sub/x.pem" {
			t.Errorf("%s: %+v", text, a)
		}
	}
	chmod := d.touch("write /srv/app/sub")
	if a := r.Answer(chmod, learn.Object{}); a.Allow {
		t.Errorf("a directory with secrets in it is changed as a whole: %+v", a)
	}
}

// Sockets and devices are no ordinary files, wherever they lie.
func TestRuleRefusesWhatIsNoFile(t *testing.T) {
	d := newDisk("/srv/app/sock")
	for _, text := range []string{"read /srv/app/sock", "write /srv/app/sock"} {
		if a := (learn.Rule{Base: base, Host: d}).Answer(d.touch(text), learn.Object{Special: true}); a.Allow {
			t.Errorf("%s: %+v", text, a)
		}
	}
}

// After many files of one directory the directory is given, unless it holds a
// secret, or is above the project.
func TestRuleGivesTheDirectory(t *testing.T) {
	d := newDisk("/srv/app/src/a", "/srv/app/src/b", "/srv/app/.env", "/srv/app/c", "/home/u/pics/a")
	r := learn.Rule{Base: base, Host: d}
	for _, test := range []struct {
		text string
		near int
		want string
	}{
		{"read /srv/app/src/a", 3, "fs.read:/srv/app/src/a"},
		{"read /srv/app/src/a", 4, "fs.read:/srv/app/src"},
		{"read /srv/app/src/a", 5, "fs.read:/srv/app/src/a"},
		{"read /srv/app/src/a", 8, "fs.read:/srv/app/src"},
		{"read /srv/app/c", 8, "fs.read:/srv/app/c"},
		{"read /home/u/pics/a", 8, "fs.read:/home/u/pics/a"},
	} {
		a := r.Answer(d.touch(test.text), learn.Object{Near: test.near})
		if !a.Allow || a.Grant.String() != test.want || a.Dir != (test.want != "fs.read:"+test.text[len("read "):]) {
			t.Errorf("%s after %d: %+v, want %s", test.text, test.near, a, test.want)
		}
	}
}

// A cache is given as a whole, since its files have other names each time.
func TestRuleGivesCaches(t *testing.T) {
	d := newDisk("/home/u/.cache/go-build/00/x", "/home/u/.npm/.ssh/x")
	r := learn.Rule{Base: base, Host: d}
	for text, want := range map[string]string{
		"make /home/u/.cache/go-build/00/y":  "fs.write:/home/u/.cache/go-build",
		"write /home/u/.cache/go-build/00/x": "fs.write:/home/u/.cache/go-build",
		"make /home/u/.npm/x":                "",
	} {
		a := r.Answer(d.touch(text), learn.Object{})
		if a.Grant.String() != want || a.Allow != (want != "") || a.Dir != a.Allow {
			t.Errorf("%s: %+v, want %s", text, a, want)
		}
		if given := d.touch(text).Given(a); given.Name != "" {
			t.Errorf("%s: %q is no name in %s", text, given.Name, given.Capability)
		}
	}
}

// A look at a large directory elsewhere is no wish to have all of it.
func TestRuleKeepsLargeDirectories(t *testing.T) {
	d := newDisk()
	for i := range 2001 {
		n := "/" + strconv.Itoa(i)
		d.add("/home/u/src"+n, false)
		d.add("/srv/app/data"+n, false)
	}
	r := learn.Rule{Base: base, Host: d}
	if a := r.Answer(d.touch("read /home/u/src"), learn.Object{}); a.Allow || !strings.Contains(a.Why, "outside the project") {
		t.Errorf("%+v", a)
	}
	if a := r.Answer(d.touch("read /srv/app/data"), learn.Object{}); !a.Allow {
		t.Errorf("%+v", a)
	}
}

// No projects and no home: nothing is changed, nothing of a person's is run.
func TestZeroRule(t *testing.T) {
	d := newDisk("/srv/x")
	for text, want := range map[string]bool{"read /srv/x": true, "write /srv/x": false, "make /srv/y/z": false, "run /srv/x": false, "read /root/.ssh/id_rsa": false} {
		if a := (learn.Rule{Host: d}).Answer(d.touch(text), learn.Object{}); a.Allow != want {
			t.Errorf("%s: %+v", text, a)
		}
	}
	if a := (learn.Rule{}).Answer(learn.Touch{Capability: capability.Capability{}}, learn.Object{}); a.Allow {
		t.Errorf("nothing: %+v", a)
	}
}
