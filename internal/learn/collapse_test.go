package learn_test

import (
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/learn"
)

// The project of the tests: its manifest lies elsewhere, so that reading it is
// something to ask for.
var base = learn.Base{
	Home: "/home/u", Pack: "/home/u/packs/app",
	Roots: []string{"/home/u/src/app", "/srv/app"}, Shown: []string{"/usr", "/etc/ssl/certs"}, Hidden: []string{"/usr/bin"},
}

func TestCollapse(t *testing.T) {
	const app = "/home/u/src/app"
	for name, test := range map[string]struct {
		files, trail, want []string
	}{
		"nothing": {},
		"what every program sees": {
			files: []string{"/usr/lib/x.so"}, trail: []string{"read /usr/lib/x.so", "run /usr/bin/git"}, want: []string{"process.spawn:/usr/bin/git"},
		},
		"programs that are read": {
			files: []string{"/usr/bin/ldd", "/usr/bin/which"}, trail: []string{"read /usr/bin/ldd", "read /usr/bin/which", "run /usr/bin/which"},
			want: []string{"fs.read:/usr/bin/ldd", "process.spawn:/usr/bin/which"},
		},
		"what the pack has": {
			files: []string{"/home/u/packs/app/run.py", "/home/u/packs/app/out/"},
			trail: []string{"read /home/u/packs/app/run.py", "make /home/u/packs/app/out/x", "run /home/u/packs/app/run.py"},
			want:  []string{"fs.write:/home/u/packs/app/out", "process.spawn:/home/u/packs/app/run.py"},
		},
		"a few files stay files": {
			files: []string{app + "/a.c", app + "/b.c", app + "/c.h"},
			trail: []string{"read " + app + "/a.c", "read " + app + "/b.c", "read " + app + "/c.h"},
			want:  []string{"fs.read:" + app + "/a.c", "fs.read:" + app + "/b.c", "fs.read:" + app + "/c.h"},
		},
		"many of one kind become a glob": {
			files: []string{app + "/a.c", app + "/b.c", app + "/c.c", app + "/d.c", app + "/notes.md", app + "/.env"},
			trail: []string{"read " + app + "/a.c", "read " + app + "/b.c", "read " + app + "/c.c", "read " + app + "/d.c"},
			want:  []string{"fs.read:" + app + "/*.c"},
		},
		"many of several kinds become their directory": {
			files: []string{app + "/a.c", app + "/b.c", app + "/c.h", app + "/README", app + "/unread"},
			trail: []string{"read " + app + "/a.c", "read " + app + "/b.c", "read " + app + "/c.h", "read " + app + "/README"},
			want:  []string{"fs.read:" + app},
		},
		"not where a secret lies beside them": {
			files: []string{app + "/a.c", app + "/b.c", app + "/c.h", app + "/README", app + "/deep/er/.env"},
			trail: []string{"read " + app + "/a.c", "read " + app + "/b.c", "read " + app + "/c.h", "read " + app + "/README"},
			want:  []string{"fs.read:" + app + "/README", "fs.read:" + app + "/a.c", "fs.read:" + app + "/b.c", "fs.read:" + app + "/c.h"},
		},
		"not above the project": {
			files: []string{"/home/u/src/one", "/home/u/src/two", "/home/u/src/three", "/home/u/src/four.c"},
			trail: []string{"read /home/u/src/one", "read /home/u/src/two", "read /home/u/src/three", "read /home/u/src/four.c"},
			want:  []string{"fs.read:/home/u/src/four.c", "fs.read:/home/u/src/one", "fs.read:/home/u/src/three", "fs.read:/home/u/src/two"},
		},
		"two files of a package are the package": {
			files: []string{"/opt/x/lib/a", "/opt/x/lib/b", "/opt/y/c"},
			trail: []string{"read /opt/x/lib/a", "read /opt/x/lib/b", "read /opt/y/c"},
			want:  []string{"fs.read:/opt/x", "fs.read:/opt/y/c"},
		},
		"packages side by side stay apart": {
			files: []string{app + "/node_modules/.lock", app + "/node_modules/a/1", app + "/node_modules/a/2", app + "/node_modules/b/1", app + "/node_modules/b/2",
				app + "/node_modules/c/1", app + "/node_modules/c/2", app + "/node_modules/@s/d/1", app + "/node_modules/@s/d/2", app + "/node_modules/e/.ssh/x"},
			trail: []string{"read " + app + "/node_modules/.lock", "read " + app + "/node_modules/a/1", "read " + app + "/node_modules/a/2",
				"read " + app + "/node_modules/b/1", "read " + app + "/node_modules/b/2", "read " + app + "/node_modules/c/1",
				"read " + app + "/node_modules/c/2", "read " + app + "/node_modules/@s/d/1", "read " + app + "/node_modules/@s/d/2"},
			want: []string{"fs.read:" + app + "/node_modules/.lock", "fs.read:" + app + "/node_modules/@s/d", "fs.read:" + app + "/node_modules/a",
				"fs.read:" + app + "/node_modules/b", "fs.read:" + app + "/node_modules/c"},
		},
		"a listed directory is one": {
			files: []string{app + "/src/a", app + "/src/deep/b"}, trail: []string{"read " + app + "/src", "read " + app + "/src/deep/b"},
			want: []string{"fs.read:" + app + "/src"},
		},
		"a listed directory with a secret is its other parts": {
			files: []string{app + "/src/a", app + "/src/deep/b", app + "/src/bad/server.key", app + "/src/bad/c"}, trail: []string{"read " + app + "/src"},
			want: []string{"fs.read:" + app + "/src/a", "fs.read:" + app + "/src/bad/c", "fs.read:" + app + "/src/deep"},
		},
		"a home is never asked for": {
			files: []string{"/home/u/notes"}, trail: []string{"read /home/u", "read /home", "make /home/u/new"}, want: nil,
		},
		"what is written may be read": {
			files: []string{app + "/out/a", app + "/out/b"}, trail: []string{"make " + app + "/out/a", "read " + app + "/out/a", "read " + app + "/out"},
			want: []string{"fs.write:" + app + "/out"},
		},
		"written files stay files": {
			files: []string{app + "/a", app + "/b", app + "/c", app + "/d", app + "/other"},
			trail: []string{"write " + app + "/a", "write " + app + "/b", "write " + app + "/c", "write " + app + "/d"},
			want:  []string{"fs.write:" + app + "/a", "fs.write:" + app + "/b", "fs.write:" + app + "/c", "fs.write:" + app + "/d"},
		},
		"unless nothing else is there": {
			files: []string{app + "/x/a", app + "/x/b", app + "/x/c", app + "/x/d"},
			trail: []string{"write " + app + "/x/a", "write " + app + "/x/b", "write " + app + "/x/c", "write " + app + "/x/d"},
			want:  []string{"fs.write:" + app + "/x"},
		},
		"names beside a secret are asked for one by one": {
			files: []string{app + "/.env", app + "/lock.json", app + "/made/x"}, trail: []string{"make " + app + "/lock.json", "make " + app + "/made", "make " + app + "/tmp1"},
			want: []string{"fs.write:" + app + "/lock.json", "fs.write:" + app + "/made"},
		},
		"any program is all programs": {
			trail: []string{"process.spawn", "run /usr/bin/git"}, want: []string{"process.spawn"},
		},
		"the network": {
			trail: []string{"net.connect:a.example.com:443", "net.connect:a.example.com", "net.listen:8080", "dns.lookup:a.example.com/TXT"},
			want:  []string{"dns.lookup:a.example.com/TXT", "net.connect:a.example.com", "net.listen:8080"},
		},
		"characters of globs": {
			files: []string{app + "/[1].x*", app + "/[2].x*", app + "/[3].x*", app + "/?.x*"},
			trail: []string{"read " + app + "/[1].x*", "read " + app + "/[2].x*", "read " + app + "/[3].x*", "read " + app + "/?.x*"},
			want:  []string{"fs.read:" + app + `/*.x\*`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDisk(test.files...)
			if got := texts(learn.Collapse(d.touches(test.trail...), nil, base, d)); !slices.Equal(got, test.want) {
				t.Errorf("got\n\t%q\nwant\n\t%q", got, test.want)
			}
		})
	}
}

// A pack is shown the links of the spelling that was granted, and no others.
func TestLinks(t *testing.T) {
	d := newDisk("/home/u/dotfiles/gitconfig", "/srv/app/data/a", "/srv/app/data/b", "/home/u/.ssh/id", "/opt/x/lib/a", "/opt/x/lib/b")
	for name, test := range map[string]struct {
		trail []string
		links []learn.Link
		want  string
	}{
		"a file":                  {[]string{"read /home/u/dotfiles/gitconfig"}, []learn.Link{{"/home/u/.gitconfig", "/home/u/dotfiles/gitconfig"}}, "fs.read:~/.gitconfig"},
		"a directory above":       {[]string{"read /srv/app/data/a"}, []learn.Link{{"/home/u/data", "/srv/app/data"}}, "fs.read:~/data/a"},
		"two ways":                {[]string{"run /usr/bin/gcc-12"}, []learn.Link{{"/usr/bin/gcc", "/usr/bin/gcc-12"}, {"/usr/bin/cc", "/usr/bin/gcc-12"}}, "process.spawn:/usr/bin/cc process.spawn:/usr/bin/gcc"},
		"in something wider":      {[]string{"read /srv/app/data"}, []learn.Link{{"/home/u/a", "/srv/app/data/a"}}, "fs.read:/srv/app/data fs.read:~/a"},
		"to what is seen anyway":  {nil, []learn.Link{{"/home/u/share", "/usr/share"}}, "fs.read:~/share"},
		"from what is seen":       {[]string{"read /srv/app/data/a"}, []learn.Link{{"/usr/share/a", "/srv/app/data/a"}}, "fs.read:/srv/app/data/a"},
		"from what is given":      {[]string{"read /opt/x/lib", "read /srv/app/data/a"}, []learn.Link{{"/opt/x/lib/link", "/srv/app/data/a"}}, "fs.read:/opt/x/lib fs.read:/srv/app/data/a"},
		"to what was not touched": {nil, []learn.Link{{"/home/u/a", "/srv/app/data/a"}}, ""},
		"to a secret":             {nil, []learn.Link{{"/home/u/a", "/home/u/.ssh/id"}}, ""},
		"to a home":               {nil, []learn.Link{{"/srv/u", "/home/u"}}, ""},
		"to everything":           {[]string{"read /srv/app/data/a"}, []learn.Link{{"/srv/root", "/"}}, "fs.read:/srv/app/data/a"},
	} {
		text, err := learn.Text(learn.Pack{ID: "a", Entry: []string{"true"}}, learn.Collapse(d.touches(test.trail...), test.links, base, d), base)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := manifest.Parse("ambit.json", text)
		var got []string
		for _, w := range m.Wants {
			got = append(got, w.Capability.String())
		}
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, %q, want %q", name, err, got, test.want)
		}
	}
}

func TestGoneIsNotAskedFor(t *testing.T) {
	d := newDisk("/home/u/notes")
	gone := d.touch("read /home/u/was")
	gone.Gone = true
	if got := texts(learn.Collapse([]learn.Touch{gone, d.touch("read /home/u/notes")}, nil, base, d)); !slices.Equal(got, []string{"fs.read:/home/u/notes"}) {
		t.Errorf("got %q", got)
	}
}

// What a person named is asked for, be it a secret, a glob or a place that is
// only in the view.
func TestNamedIsAskedFor(t *testing.T) {
	d := newDisk("/home/u/.npmrc", "/home/u/notes")
	trail := d.touches("read /home/u/.npmrc", "fs.read:/home/u/*.txt", "read /data", "read /home/u/notes")
	for i := range trail {
		trail[i].Named = i < 3
	}
	want := []string{"fs.read:/data", "fs.read:/home/u/*.txt", "fs.read:/home/u/.npmrc", "fs.read:/home/u/notes"}
	if got := texts(learn.Collapse(trail, nil, base, d)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A tree too large to look through is not harmless, and one that cannot be
// listed neither.
func TestWhatCannotBeSeenIsNotHarmless(t *testing.T) {
	d := newDisk("/srv/app/closed/", "/srv/app/a", "/srv/app/b.x", "/srv/app/c.y", "/srv/app/d.z")
	delete(d, "/srv/app/closed")
	got := texts(learn.Collapse(d.touches("read /srv/app/a", "read /srv/app/b.x", "read /srv/app/c.y", "read /srv/app/d.z"), nil, base, d))
	if len(got) != 4 {
		t.Errorf("folded: %q", got)
	}
}
