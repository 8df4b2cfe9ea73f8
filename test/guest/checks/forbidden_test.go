package checks

import (
	"os"
	"strings"
	"testing"
)

// TestForbidden runs where user namespaces were forbidden by one of the
// system's switches, which AMBIT_FORBIDDEN names.
func TestForbidden(t *testing.T) {
	by := os.Getenv("AMBIT_FORBIDDEN")
	if by == "" {
		t.Skip("requires: a guest that forbids user namespaces")
	}
	doctor := ambit(t, nil, "doctor")
	run := ambit(t, nil, "run", "--ask", "none", "--", "true")
	if os.Getuid() == 0 {
		// Root needs none to make the other namespaces.
		if strings.HasPrefix(by, "user.") {
			doctor.want(t, 0, "root does without", by+" is 0")
		}
		run.want(t, 0)
		return
	}
	doctor.want(t, 1, "FAILS   user namespaces", by+" is 0", "sudo sysctl -w "+by+"=", "does NOT hold")
	run.want(t, 125, "ambit: ", "user namespaces", "ambit doctor")
}
