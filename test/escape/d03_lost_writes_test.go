package escape_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A write outside of the grants that succeeds and is lost (greywall), or that
// reaches the host (firejail --read-only=/): every folder and every mount of
// the view is tried. Numbers 3 and 17 of the defects of others.
func TestD03LostWrites(t *testing.T) {
	t.Parallel()
	f := newField(t)
	// Folders that lead to what is granted, beneath /tmp and in the home.
	f.put(t, f.Home+"/doc/a.pdf", "a\n")
	f.put(t, f.Home+"/deep/er/proj/file", "a\n")
	f.base = func() []string {
		return []string{"--allow", "fs.write:" + f.Work, "--allow", "fs.read:" + f.Read,
			"--allow", "fs.write:" + f.Home + "/doc/*.pdf", "--allow", "fs.read:" + f.Home + "/deep/er/proj"}
	}
	script := `for d in $(cut -d' ' -f5 /proc/self/mountinfo | sed 's/\\040/ /g') $(find / -xdev -maxdepth 3 -type d 2>/dev/null) $(find /tmp "$HOME" -type d 2>/dev/null); do
	[ -d "$d" ] && (: > "$d/ambit-write") 2>/dev/null && echo "wrote $d" && rm "$d/ambit-write"
done; true`
	out, err := f.box(t, "/bin/sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	// The private folders are meant for writing; a grant is the host's.
	private := []string{"/tmp", "/dev/shm", f.Home, f.Work}
	if differs(t, f.tier).kind == ownKernel {
		private = append(private, "/dev")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		dir, ok := strings.CutPrefix(strings.TrimSpace(line), "wrote ")
		if !ok {
			continue
		}
		seen[dir] = true
		if !slices.Contains(private, dir) {
			t.Errorf("D3: %s can be written", dir)
		}
	}
	if text, err := os.ReadDir(f.Home + "/doc"); err != nil || len(text) != 1 {
		t.Errorf("D3: the host has %v %v", text, err)
	}
	for _, p := range private {
		if !seen[p] {
			t.Errorf("D3: %s cannot be written, but should; the test proves nothing", p)
		}
	}
}

// What is beside a granted file, and does not exist, is refused in words that a
// program understands, and what is granted can be written.
func TestD03BesideAGrantedFile(t *testing.T) {
	attack{
		ID: "D3", Title: "write beside a granted file",
		Reference: "greywall: a write outside of the grants succeeds and is lost",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.put(t, f.Home+"/doc/a.pdf", "a\n") },
		Flags:     func(f *field) []string { return []string{"--allow", "fs.write:" + f.Home + "/doc/*.pdf"} },
		Tries: []try{
			{Name: "a new file", Do: func(f *field) error { return os.WriteFile(f.Home+"/doc/b.pdf", []byte("x"), 0o644) }, Want: refused(unix.EROFS)},
			{Name: "a new folder", Do: func(f *field) error { return os.Mkdir(f.Home+"/doc/new", 0o755) }, Want: refused(unix.EROFS)},
			{Name: "the folder itself", Do: func(f *field) error { return os.Rename(f.Home+"/doc", f.Home+"/x") }, Want: refused(unix.EBUSY)},
			{Name: "the granted file", Do: func(f *field) error { return os.WriteFile(f.Home+"/doc/a.pdf", []byte("x"), 0o644) }, Want: allowed("it is granted")},
			{Name: "the home", Do: func(f *field) error { return os.WriteFile(f.Home+"/x", []byte("x"), 0o644) }, Want: allowed("it is private, and a scratch one as a whole")},
		},
	}.run(t)
}
