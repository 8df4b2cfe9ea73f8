package learn_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/learn"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestTrails replays what real programs did: git, npm, python3 and go, recorded
// from their system calls. Each file has where they ran, what they touched in
// order, and what was there afterwards; what the rule refused and the manifest
// follow from it.
func TestTrails(t *testing.T) {
	files, err := filepath.Glob("testdata/trails/*.txtar")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			refused, text := replay(t, a)
			if *update {
				setFile(a, "refused", refused)
				setFile(a, "ambit.json", text)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := section(a, "refused"); refused != want {
				t.Errorf("refused (go test -update, then read the difference)\n%s\nwant\n%s", refused, want)
			}
			if want := section(a, "ambit.json"); text != want {
				t.Errorf("manifest (go test -update, then read the difference)\n%s\nwant\n%s", text, want)
			}
			if _, err := manifest.Parse("ambit.json", []byte(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setFile(a *txtar.Archive, name, text string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
}

// replay puts each touch to the rule, unless what was given before has it
// already, as a sandbox would.
func replay(t *testing.T, a *txtar.Archive) (refused, text string) {
	t.Helper()
	b := readBase(t, section(a, "base"))
	d := newDisk(strings.Fields(section(a, "files"))...)
	r := learn.Rule{Base: b, Host: d}
	var given []capability.Capability
	var trail []learn.Touch
	var no strings.Builder
	for line := range strings.Lines(section(a, "trail")) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 3)
		touch := d.touch(strings.Replace(f[2], "\t", " ", 1))
		touch.Program, touch.Count = f[0], atoi(t, f[1])
		if capability.Covered(touch.Capability, given) {
			continue
		}
		ans := r.Answer(touch, learn.Object{})
		if !ans.Allow {
			fmt.Fprintf(&no, "%s: %s\n", touch.Capability.Display(), ans.Why)
			continue
		}
		given = append(given, ans.Grant)
		trail = append(trail, touch.Given(ans))
	}
	out, err := learn.Text(learn.Pack{ID: "local.app", Entry: strings.Split(strings.TrimSpace(section(a, "entry")), "\n")}, learn.Collapse(trail, nil, b, d), b)
	if err != nil {
		t.Fatal(err)
	}
	return no.String(), string(out)
}

func readBase(t *testing.T, text string) (b learn.Base) {
	t.Helper()
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch key {
		case "home":
			b.Home = value
		case "pack":
			b.Pack = value
		case "root":
			b.Roots = append(b.Roots, value)
		case "shown":
			b.Shown = append(b.Shown, value)
		default:
			t.Fatalf("base: %q", line)
		}
	}
	return b
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
