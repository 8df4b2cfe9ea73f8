package microvm_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/changes"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/image"
)

// parted grants a folder whose changes are kept apart, and answers where.
func parted(t *testing.T, in *enforce.Input, source string) (kept string) {
	t.Helper()
	kept = filepath.Join(t.TempDir(), "kept")
	o := object(t, source)
	if err := changes.Make(kept, changes.Meta{Session: "s-x", Source: source, Target: source, Dev: o.Dev, Ino: o.Ino}); err != nil {
		t.Fatal(err)
	}
	in.Volumes = append(in.Volumes, enforce.Volume{Source: o, Target: source, Write: true, Changes: kept})
	return kept
}

// became are the changes that were kept.
func became(t *testing.T, kept string) (all []string) {
	t.Helper()
	set, err := changes.Open(kept)
	if err != nil {
		t.Fatal(err)
	}
	list, err := set.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		all = append(all, fmt.Sprintf("%s %s %s", c.What, c.Type(), c.Path))
	}
	return all
}

// contents are all files beneath a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		all[strings.TrimPrefix(p, dir+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMachineApart: what a machine changes of a folder that copies on write is kept apart, as
// overlayfs has it, and the folder stays as it is.
func TestMachineApart(t *testing.T) {
	tr := tier(t)
	in := input(t, `cd "$0" && echo new > file && echo more > added && rm gone && rm -r d && mkdir e e/f && echo x > e/f/x && rm was && mkdir was && ln -s file l && ! cat denied`)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "gone", "d/a", "d/b", "was", "same", "denied"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, name+"\n")
	}
	before := contents(t, dir)
	kept := parted(t, &in, dir)
	deny, err := capability.Parse("fs.read:" + dir + "/denied")
	if err != nil {
		t.Fatal(err)
	}
	in.Masked, in.Objects[deny.String()] = append(in.Masked, deny), []enforce.Object{object(t, dir+"/denied")}
	in.Program.Argv = append(in.Program.Argv, dir)
	res, out, errs := run(t, tr, in, "")
	if res.Exit != 0 {
		t.Fatalf("%+v %q %q", res, out, errs)
	}
	want := []string{"added file added", "removed directory d", "added directory e", "added directory e/f", "added file e/f/x", "changed file file", "removed file gone", "added link l", "replaced directory was"}
	if got := became(t, kept); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if now := contents(t, dir); !maps.Equal(now, before) {
		t.Errorf("the folder has %q", now)
	}
	if got, err := os.ReadFile(filepath.Join(kept, enforce.Upper, "file")); err != nil || string(got) != "new\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestLiarApart: a guest that lies changes nothing but what is kept apart, and what is
// denied is not removed by it.
func TestLiarApart(t *testing.T) {
	end := append(raw('e', 0, ""), raw('m', 2, "{}")...)
	root, file := node(`{"path":".","kind":"dir","mode":493}`), node(`{"path":"file","kind":"file","same":true,"mode":420}`)
	d, secret := node(`{"path":"d","kind":"dir","mode":493}`), node(`{"path":"d/secret","kind":"file","same":true,"mode":420}`)
	x := raw('p', 1, "x")
	for name, c := range map[string]struct {
		say  [][]byte
		want []string
		pass bool
	}{
		"nothing":               {[][]byte{root, file, d, secret, end}, nil, true},
		"all is gone":           {[][]byte{root, end}, []string{"removed file file"}, true},
		"the denied one":        {[][]byte{root, file, d, node(`{"path":"d/secret","kind":"file","mode":420,"size":1}`), x, end}, nil, true},
		"a link in its way":     {[][]byte{root, file, node(`{"path":"d","kind":"link","target":".."}`), end}, nil, false},
		"a link, and beneath":   {[][]byte{root, file, d, node(`{"path":"l","kind":"link","target":"../../.."}`), node(`{"path":"l/canary","kind":"file","mode":420,"size":1}`), x, end}, []string{"added link l"}, false},
		"no folder leads there": {[][]byte{root, file, d, node(`{"path":"n/x","kind":"file","mode":420,"size":1}`), x, end}, nil, false},
		"up":                    {[][]byte{root, file, d, node(`{"path":"../canary","kind":"file","mode":420,"size":1}`), x, end}, nil, false},
		"what it never had":     {[][]byte{root, file, d, node(`{"path":"n","kind":"file","same":true,"mode":420}`), end}, nil, false},
		"no folder any more":    {[][]byte{node(`{"path":".","kind":"link","target":"/"}`), end}, nil, false},
		"twice":                 {[][]byte{root, file, file, end}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			work := filepath.Join(top, "work")
			if err := os.MkdirAll(filepath.Join(work, "d"), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, work, "file", "was\n")
			write(t, work, "d/secret", "secret\n")
			write(t, top, "canary", "host\n")
			before := contents(t, top)
			in := input(t, "true")
			in.Base = enforce.Base{}
			kept := parted(t, &in, work)
			deny, err := capability.Parse("fs.write:" + work + "/d/secret")
			if err != nil {
				t.Fatal(err)
			}
			in.Masked, in.Objects[deny.String()] = append(in.Masked, deny), []enforce.Object{object(t, work+"/d/secret")}
			img := image.Image{ID: "i", Dir: t.TempDir()}
			if err := img.Name(nil); err != nil {
				t.Fatal(err)
			}
			null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			s, err := microvm.Tier{Driver: liar{lie: says(channel.OpCollect, c.say...)}, Image: img}.Start(t.Context(), plan(t, in), enforce.Stdio{In: null, Out: null, Err: null})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Release(); err != nil {
				t.Fatal(err)
			}
			if _, err = s.Wait(); (err == nil) != c.pass {
				t.Errorf("it ended with %v", err)
			}
			if got := became(t, kept); !slices.Equal(got, c.want) {
				t.Errorf("kept are %q, want %q", got, c.want)
			}
			if now := contents(t, top); !maps.Equal(now, before) {
				t.Errorf("the host has %q", now)
			}
		})
	}
}
