package escape_test

import (
	"strings"
	"testing"
)

// A write outside of the grants that succeeds and is lost (greywall), or that
// reaches the host (firejail --read-only=/): every folder and every mount of
// the view is tried. Numbers 3 and 17 of the defects of others.
func TestD03LostWrites(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.base = func() []string { return []string{"--allow", "fs.write:" + f.Work, "--allow", "fs.read:" + f.Read} }
	script := `for d in $(cut -d' ' -f5 /proc/self/mountinfo | sed 's/\\040/ /g') $(find / -xdev -maxdepth 3 -type d 2>/dev/null); do
	[ -d "$d" ] && (: > "$d/ambit-write") 2>/dev/null && echo "wrote $d" && rm "$d/ambit-write"
done; true`
	out, err := f.box(t, "/bin/sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	// The private folders are meant for writing; a grant is the host's.
	private := []string{"/tmp", "/dev/shm", f.Home, f.Work}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		dir, ok := strings.CutPrefix(strings.TrimSpace(line), "wrote ")
		if !ok {
			continue
		}
		seen[dir] = true
		fine := strings.HasPrefix(dir, "/tmp/")
		for _, p := range private {
			fine = fine || dir == p
		}
		if !fine {
			t.Errorf("D3: %s can be written", dir)
		}
	}
	for _, p := range private {
		if !seen[p] {
			t.Errorf("D3: %s cannot be written, but should; the test proves nothing", p)
		}
	}
}
