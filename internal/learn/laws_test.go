package learn_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/learn"
)

// names are those of which trees are made: ordinary ones, packages, secrets, and
// what is special in a scope.
var names = []string{
	"a", "b.c", "c.c", "d.c", "e.c", "f.h", "src", "lib", "node_modules", "site-packages", "@s", "pkg", ".env", ".env.example", "k.pem", ".ssh", ".config", "gcloud",
	".git", "*.c", "[x]", "~", " s", "Mail", "\x1b.c", "\xff", `q"\`,
}

var starts = []string{"/home/u", "/home/u/src/app", "/home/u/src/app", "/home/u/src/app", "/home/u/packs/app", "/srv/app", "/srv", "/opt", "/usr/lib", "/home/v", "/tmp", "/home/u/.cache/go-build"}

func drawPath(t *rapid.T) string {
	p := rapid.SampledFrom(starts).Draw(t, "start")
	for _, n := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 4).Draw(t, "names") {
		p += "/" + n
	}
	return p
}

// drawRun makes a tree and a trail of it that the rule allows.
func drawRun(t *rapid.T) (disk, []learn.Touch) {
	var paths []string
	for range rapid.IntRange(1, 40).Draw(t, "files") {
		paths = append(paths, drawPath(t))
	}
	d := newDisk()
	for i, p := range paths {
		under := func(o string) bool { return o != p && len(o) > len(p) && o[:len(p)+1] == p+"/" }
		if !slices.ContainsFunc(paths, under) && i%7 != 6 {
			d.add(p, false)
		} else {
			d.add(p, true)
		}
	}
	r := learn.Rule{Base: base, Host: d, Net: true}
	var trail []learn.Touch
	for range rapid.IntRange(0, 25).Draw(t, "touches") {
		touch := drawTouch(t, d)
		if a := r.Answer(touch, learn.Object{Near: rapid.IntRange(0, 9).Draw(t, "near")}); a.Allow {
			trail = append(trail, touch.Given(a))
		}
	}
	return d, trail
}

func drawTouch(t *rapid.T, d disk) learn.Touch {
	text := rapid.SampledFrom([]string{"net.connect:a.example.com:443", "process.spawn", "net.connect:10.0.0.1:22", "dns.lookup:a.example.com/TXT"}).Draw(t, "other")
	if rapid.IntRange(0, 9).Draw(t, "kind") > 0 {
		text = rapid.SampledFrom([]string{"read ", "read ", "read ", "read ", "write ", "make ", "run "}).Draw(t, "verb") + rapid.SampledFrom(d.deep()).Draw(t, "path")
	}
	touch := d.touch(text)
	touch.Program = rapid.SampledFrom([]string{"git", "make", "", "x\n}", "\xff"}).Draw(t, "program")
	return touch
}

// there reports whether a touch is one of something that is there, or that can
// be made in a directory as a whole.
func there(d disk, t learn.Touch) bool {
	p, ok := t.Capability.Pattern()
	if !ok {
		return true
	}
	lit, ok := p.Literal()
	if !ok || t.Name == "" {
		return true
	}
	return slices.Contains(d.files(), path.Join(lit, t.Name))
}

// What the rule allowed is covered by the manifest, or is part of what every
// pack sees.
func TestAllowedIsCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, trail := drawRun(t)
		var caps []capability.Capability
		for _, w := range learn.Collapse(trail, nil, base, d) {
			caps = append(caps, w.Capability)
		}
		for _, touch := range trail {
			for _, c := range parts(t, d, touch) {
				if !there(d, touch) || seenAnyway(c) || capability.Covered(c, caps) {
					continue
				}
				t.Fatalf("%s of %+v is not covered by %q", c.Display(), touch, caps)
			}
		}
	})
}

// parts are what a touch is made of: itself, or, where it is a directory with
// secrets in it, what is in it besides them; or the name that was made there.
func parts(t *rapid.T, d disk, touch learn.Touch) []capability.Capability {
	p, ok := touch.Capability.Pattern()
	if !ok || !touch.Dir || touch.Capability.Kind() == capability.ProcessSpawn {
		return []capability.Capability{touch.Capability}
	}
	dir, _ := p.Literal()
	clean := !slices.ContainsFunc(d.files(), func(f string) bool { return len(f) > len(dir) && f[:len(dir)+1] == dir+"/" && secret(f) })
	switch {
	case clean:
		return []capability.Capability{touch.Capability}
	case touch.Name != "":
		made := path.Join(dir, touch.Name)
		if d.isDir(made) {
			return nil // its harmless parts, as of a directory that is read
		}
		return []capability.Capability{forPath(t, capability.FSWrite, made)}
	}
	var all []capability.Capability
	for _, f := range d.files() {
		if len(f) > len(dir) && f[:len(dir)+1] == dir+"/" && !secret(f) && !d.isDir(f) {
			all = append(all, forPath(t, capability.FSRead, f))
		}
	}
	return all
}

func forPath(t *rapid.T, k capability.Kind, p string) capability.Capability {
	c, err := capability.ForPath(k, p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func secret(p string) bool { _, ok := capability.Sensitive(p, base.Home); return ok }

// seenAnyway reports whether every pack may read what c is about.
func seenAnyway(c capability.Capability) bool {
	p, ok := c.Pattern()
	lit, _ := p.Literal()
	return ok && c.Kind() == capability.FSRead && !strings.HasPrefix(lit, "/usr/bin/") && slices.ContainsFunc(append(base.Shown, base.Pack), func(dir string) bool {
		return lit == dir || len(lit) > len(dir) && lit[:len(dir)+1] == dir+"/"
	})
}

// Whatever was touched, allowed or not, nothing of the list is covered: no file
// that is there, and no place where one would be.
func TestNoSecretIsCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, trail := drawRun(t)
		for range rapid.IntRange(0, 10).Draw(t, "forbidden") {
			touch := drawTouch(t, d)
			touch.Dir = touch.Dir || rapid.Bool().Draw(t, "dir")
			trail = append(trail, touch)
		}
		for _, w := range learn.Collapse(trail, nil, base, d) {
			p, ok := w.Capability.Pattern()
			if !ok {
				continue
			}
			for _, f := range d.files() {
				if secret(f) && p.Match(f) && w.Capability.Kind() != capability.ProcessSpawn {
					t.Fatalf("%s covers %q", w.Capability.Display(), f)
				}
			}
			lit, literal := p.Literal()
			if !literal {
				continue
			}
			if why, above := capability.AboveSensitive(lit, base.Home); above && w.Dir {
				t.Fatalf("%s is above %s", w.Capability.Display(), why)
			}
			if secret(lit) {
				t.Fatalf("%s is a secret", w.Capability.Display())
			}
		}
	})
}

func TestCollapsingAgainChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, trail := drawRun(t)
		once := learn.Collapse(trail, nil, base, d)
		if twice := learn.Collapse(again(once), nil, base, d); !slices.Equal(texts(once), texts(twice)) {
			t.Fatalf("once\n\t%q\ntwice\n\t%q", texts(once), texts(twice))
		}
	})
}

func TestAnotherTouchRemovesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, trail := drawRun(t)
		before := learn.Collapse(trail, nil, base, d)
		trail = append(trail, drawTouch(t, d))
		var after []capability.Capability
		for _, w := range learn.Collapse(trail, nil, base, d) {
			after = append(after, w.Capability)
		}
		for _, w := range before {
			if !capability.Covered(w.Capability, after) {
				t.Fatalf("%s was covered before %+v, and is not by %q", w.Capability.Display(), trail[len(trail)-1], after)
			}
		}
	})
}

// Links give names, never rights: what is asked for is the same, no name is a
// secret's, and the text reads back.
func TestLinksGiveNoRights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, trail := drawRun(t)
		var links []learn.Link
		for range rapid.IntRange(0, 6).Draw(t, "links") {
			links = append(links, learn.Link{Path: drawPath(t), Real: rapid.SampledFrom(d.files()).Draw(t, "real")})
		}
		plain, wants := learn.Collapse(trail, nil, base, d), learn.Collapse(trail, links, base, d)
		var rights []capability.Capability
		for _, w := range plain {
			rights = append(rights, w.Capability)
		}
		for _, w := range wants {
			if !capability.Covered(w.Capability, rights) && !seenAnyway(w.Capability) {
				t.Fatalf("%s comes by a link alone: %q", w.Capability.Display(), links)
			}
			for _, as := range w.As {
				p, _ := as.Pattern()
				if lit, ok := p.Literal(); ok && secret(lit) {
					t.Fatalf("%s is the name of a secret", as.Display())
				}
			}
		}
		if _, err := learn.Text(learn.Pack{ID: "local.app", Entry: []string{"true"}}, wants, base); err != nil {
			t.Fatal(err)
		}
	})
}

// The order of a trail makes no difference, and the text reads back.
func TestTheTextIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, trail := drawRun(t)
		pack := learn.Pack{ID: "local.app", Entry: []string{"./run.sh", `a"\ b`, "\x1b"}}
		one, err := learn.Text(pack, learn.Collapse(trail, nil, base, d), base)
		if err != nil {
			t.Fatal(err)
		}
		trail = rapid.Permutation(trail).Draw(t, "order")
		two, err := learn.Text(pack, learn.Collapse(trail, nil, base, d), base)
		if err != nil {
			t.Fatal(err)
		}
		if string(one) != string(two) {
			t.Fatalf("one\n%s\ntwo\n%s", one, two)
		}
		if _, err := manifest.Parse("ambit.json", one); err != nil {
			t.Fatal(err)
		}
	})
}
