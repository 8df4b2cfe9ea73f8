package escape_test

import (
	"regexp"
	"testing"
)

// A denial is more than an errno: the capability, an id, and what would allow
// it. Number 22 of the defects of others.
func TestD22DenialsAreTold(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.flags = []string{"--watch-files=on"}
	out, err := f.box(t, "/bin/cat", f.Canary).CombinedOutput()
	if err == nil {
		t.Error("D22: it succeeded")
	}
	// It may stand behind what the program has written of a line of its own.
	want := regexp.MustCompile(`ambit: denied fs\.read:` + regexp.QuoteMeta(f.Canary) + ` .*\[d-[a-z0-9]+\].*--allow fs\.read:` + regexp.QuoteMeta(f.Canary))
	if !want.Match(out) {
		t.Errorf("D22: got %s", out)
	}
	f.flags = nil
	out, _ = f.box(t, "python3", "-c", "import socket; socket.create_connection(('192.0.2.1', 443), 2)").CombinedOutput()
	if !regexp.MustCompile(`ambit: denied net\.connect:192\.0\.2\.1:443 .*\[d-[a-z0-9]+\]`).Match(out) {
		t.Errorf("D22: got %s", out)
	}
}
