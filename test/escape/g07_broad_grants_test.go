package escape_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// G7: / and the folders above homes are never granted by a flag.
func TestG07BroadGrants(t *testing.T) {
	t.Parallel()
	f := newField(t)
	for _, c := range []string{"fs.read:/", "fs.write:/", "fs.read:/*", "fs.read:/**", "fs.read:/.", "fs.read://", "fs.read:/usr/..", "fs.read:" + strings.Repeat("../", 40)} {
		f.base = func() []string { return []string{"--allow", c} }
		if out, err := f.box(t, "/bin/cat", f.Canary).CombinedOutput(); err == nil || strings.Contains(string(out), f.token) {
			t.Errorf("G7: %s: %v %s", c, err, out)
		}
	}
	f.base = func() []string { return []string{"--allow", "fs.read:" + filepath.Dir(f.Outside) + "/outside"} }
	if out, err := f.box(t, "/bin/cat", f.Canary).CombinedOutput(); err != nil {
		t.Errorf("G7: a grant that is not broad: %v %s", err, out)
	}
}
