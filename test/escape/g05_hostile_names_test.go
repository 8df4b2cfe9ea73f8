package escape_test

import (
	"strings"
	"testing"
)

// G5: names that would rewrite the terminal reach a message escaped.
func TestG05HostileNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"\x1b[2J", "\x1b]0;x\x07", "\u202egpj", "a\rb", "a\nambit: allowed", "\u2028", strings.Repeat("x", 200)} {
		f := newField(t)
		f.put(t, f.Outside+"/"+name, "x")
		f.flags = []string{"--watch-files=on"}
		out, err := f.box(t, "/bin/cat", f.Outside+"/"+name).CombinedOutput()
		if err == nil {
			t.Errorf("G5: cat succeeded: %q", out)
		}
		for line := range strings.Lines(string(out)) {
			if !strings.HasPrefix(line, "ambit: ") {
				continue // cat's own message is cat's
			}
			for _, bad := range []string{"\x1b", "\x07", "\u202e", "\r", "\u2028"} {
				if strings.Contains(line, bad) {
					t.Errorf("G5: %q reaches the terminal: %q", bad, line)
				}
			}
			if line == "ambit: allowed\n" {
				t.Errorf("G5: a name made a line of its own: %q", out)
			}
		}
	}
}
