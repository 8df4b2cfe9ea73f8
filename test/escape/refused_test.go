package escape_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// What a strong tier does not carry out it refuses by its name, before anything of
// the program runs. Attacks that need such a thing try nothing there; this is why.
func TestRefusedByName(t *testing.T) {
	tier := tierUnderTest()
	if tier == tierProcess {
		if os.Getenv("AMBIT_GUEST") != "" {
			t.Skip("requires: a strong tier")
		}
		tier = tierGVisor
	}
	t.Parallel()
	for _, r := range []struct {
		name  string
		flags []string
		argv  []string
		words string
		tiers []string
	}{
		{"calls that are held", []string{"--ask", "queue", "--ask-by", "notification"}, nil, "asking by notification", gvisorOnly},
		{"files that were not there", []string{"--watch-files=on"}, nil, "reporting files that were not there", bothStrong},
		{"a limit of programs", []string{"--limit", "pids=64"}, nil, "limit", gvisorOnly},
		{"a socket by its name", []string{"--allow", "fs.write:SOCKET"}, nil, "connecting to", bothStrong},
		{"words that are not text", nil, []string{"\xff\xfe"}, "that are text", gvisorOnly},
	} {
		if !slices.Contains(r.tiers, tier) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			f := newField(t)
			f.tier = tier
			f.listen(t, "unix", f.work("socket"))
			for _, flag := range r.flags {
				f.flags = append(f.flags, strings.ReplaceAll(flag, "SOCKET", f.work("socket")))
			}
			out, err := f.box(t, append([]string{"/usr/bin/touch", f.work("ran")}, r.argv...)...).CombinedOutput()
			if exitStatus(err) != 125 || !strings.Contains(string(out), r.words) || !strings.Contains(string(out), "cannot be enforced here") {
				t.Errorf("got %v %s, want 125 and %q", err, out, r.words)
			}
			if exists(f.work("ran")) == nil {
				t.Error("the program ran")
			}
			f.nothingLeft(t)
		})
	}
}
