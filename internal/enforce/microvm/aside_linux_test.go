package microvm_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/aside"
)

// What a launcher that was killed left aside in a folder goes with the next session there,
// and does not reach into it. What a program may have made that looks like it stays: what
// has another name, links, what is young, and all of it where the folder is only read.
func TestLeftAside(t *testing.T) {
	for way, write := range map[string]bool{"written": true, "read": false} {
		t.Run(way, func(t *testing.T) {
			in := input(t, `true`)
			dir := folder(t, &in, write)
			if err := os.Mkdir(dir+"/sub", 0o755); err != nil {
				t.Fatal(err)
			}
			long := time.Now().Add(-2 * time.Hour)
			file := func(in string) string {
				at := filepath.Join(dir, in, aside.Name())
				if err := os.WriteFile(at, []byte("part"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(at, long, long); err != nil {
					t.Fatal(err)
				}
				return at
			}
			left, deep, linked := file(""), file("sub"), file("")
			young, link := filepath.Join(dir, aside.Name()), filepath.Join(dir, aside.Name())
			for _, err := range []error{os.Link(linked, dir+"/important"), os.WriteFile(young, nil, 0o600), os.Symlink("file", link)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			in.Program.Argv[2] = `find ` + dir + ` -name '.ambit-new-*' -printf '%p\n'`
			_, out, _ := run(t, tier(t), in, "")
			want := []string{linked, young, link}
			if !write {
				want = append(want, left, deep)
			}
			has := strings.Fields(out)
			slices.Sort(want)
			slices.Sort(has)
			if !slices.Equal(has, want) {
				t.Errorf("the machine has %q, want %q", has, want)
			}
			for _, p := range []string{left, deep, linked, young, link} {
				_, err := os.Lstat(p)
				if there := err == nil; there != slices.Contains(want, p) {
					t.Errorf("%s is there: %v", p, there)
				}
			}
		})
	}
}
