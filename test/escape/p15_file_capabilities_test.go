package escape_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// P15: the program has capabilities of its own.
func TestP15FileCapabilities(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root, to give a file capabilities")
	}
	t.Parallel()
	f := newField(t)
	program := f.read("capable")
	if err := copyProgram(program, attacker(t)); err != nil {
		t.Fatal(err)
	}
	// struct vfs_cap_data, version 2, effective: CAP_SETUID and CAP_NET_RAW
	data := []byte{1, 0, 0, 2, 0x80, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if err := unix.Setxattr(program, "security.capability", data, 0); err != nil {
		t.Fatal(err)
	}
	out, err := f.box(t, program, "show", "capabilities").Output()
	if err != nil || strings.Trim(string(out), "0 \n") != "" {
		t.Errorf("P15: got %v %s, want no capability", err, out)
	}
	user := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "show", "capabilities")
	if err := os.Chmod(f.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := user.Output(); err == nil && strings.Trim(string(out), "0 \n") == "" {
		t.Fatalf("outside it does not succeed either: %v %s", err, out)
	}
}
