package microvm_test

import (
	"os"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// What a program writes by a mapping alone comes back, though no time of the file tells of
// it; what it opens for writing and only looks at stays as it was.
func TestMappedComesBack(t *testing.T) {
	in := input(t, "")
	dir := folder(t, &in, true)
	write(t, dir, "looked", "looked at\n")
	before := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for _, name := range []string{"file", "looked"} {
		if err := os.Chtimes(dir+"/"+name, before, before); err != nil {
			t.Fatal(err)
		}
	}
	in.Program.Argv[2] = `exec python3 -S -E -c '
import mmap, os
os.chdir("` + dir + `")
with open("file", "r+b") as f: m = mmap.mmap(f.fileno(), 4)
assert m[:] == b"was\n"
m[:3] = b"new"
with open("looked", "r+b") as f: assert mmap.mmap(f.fileno(), 10)[:] == b"looked at\n"
'`
	if _, out, errs := run(t, tier(t), in, ""); out+errs != "" {
		t.Fatalf("it wrote %q %q", out, errs)
	}
	if got := enforcetest.Content(t, dir+"/file"); got != "new\n" {
		t.Errorf("the host has %q", got)
	}
	was, err := os.Stat(dir + "/looked")
	if err != nil || !was.ModTime().Equal(before) {
		t.Errorf("what was looked at was changed: %v %v", was, err)
	}
	if is, err := os.Stat(dir + "/file"); err != nil || is.ModTime().Equal(before) {
		t.Errorf("the time of what was written does not tell of it: %v %v", is, err)
	}
}
