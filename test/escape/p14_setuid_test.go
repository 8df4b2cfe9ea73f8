package escape_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestP14Setuid(t *testing.T) {
	attack{
		ID: "P14", Title: "become somebody else by a setuid program",
		Reference: "CVE-2021-4034 (pkexec), CVE-2021-3156 (sudo) and every local exploit of a setuid program",
		Tiers:     process,
		Tries: []try{
			{Name: "su", NoControl: "for root there is nothing to become", Do: func(*field) error {
				su := exec.Command("su")
				in, err := su.StdinPipe()
				if err != nil {
					return err
				}
				if err := su.Start(); err != nil {
					return unix.EPERM
				}
				defer su.Wait() //nolint:errcheck // it fails
				defer in.Close()
				for range 20 {
					time.Sleep(5 * time.Millisecond)
					var real, effective int
					if _, err := fmt.Sscan(status("/proc/"+itoa(su.Process.Pid), "Uid"), &real, &effective); err != nil {
						break
					}
					if effective != os.Getuid() {
						return nil
					}
				}
				return unix.EPERM
			}, Want: refused(unix.EPERM), Slow: "it watches for a while"},
			{Name: "an own copy", Do: func(f *field) error {
				for _, words := range [][]string{{"cp", "/bin/sh", f.work("sh")}, {"chmod", "u+s", f.work("sh")}} {
					if err := exec.Command(words[0], words[1:]...).Run(); err != nil {
						return unix.EPERM
					}
				}
				return nil
			}, Want: refused(unix.EPERM), Slow: "it starts two programs"},
		},
	}.run(t)
}

// The program that is run is itself setuid to somebody else.
func TestP14SetuidProgram(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root, to make a program that is setuid to another user")
	}
	t.Parallel()
	f := newField(t)
	program := f.read("setuid")
	if err := copyProgram(program, attacker(t)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(program, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chmod(program, 0o6755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "show", "ids").Output(); err != nil || string(out) != "0 65534 0 65534\n" {
		t.Fatalf("outside it does not succeed either: %v %s", err, out)
	}
	if out, err := f.box(t, program, "show", "ids").Output(); err != nil || string(out) != "0 0 0 0\n" {
		t.Errorf("P14: got %v %s, want the ids unchanged", err, out)
	}
}
