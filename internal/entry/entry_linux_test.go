//go:build linux && (amd64 || arm64)

package entry_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes testdata/begin, which begins at Entry or where Go programs do.
func build(t *testing.T, flags ...string) string {
	program := filepath.Join(t.TempDir(), "begin")
	args := append(append([]string{"build"}, flags...), "-o", program, "./testdata/begin")
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build a program: %v\n%s", err, out)
	}
	return program
}

const atEntry = "-ldflags=-E=ambit.dev/ambit/internal/entry.Entry"

// TestFiles holds that a program which begins at Entry may have as many files open as
// one that does not, whatever it was started with, and so may what it starts; and that
// no allocation in it was remembered.
func TestFiles(t *testing.T) {
	program, plain := build(t, atEntry), build(t)
	for _, limit := range []string{"ulimit -Sn 3", "ulimit -Sn 4", "ulimit -Sn 64", "ulimit -n 64", ":"} {
		t.Run(limit, func(t *testing.T) {
			run := func(program string) (files, profile string) {
				out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", limit+` && exec "$0"`, program).CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v", out, err)
				}
				files, profile, found := strings.Cut(string(out), "profile ")
				if !found {
					t.Fatalf("said %q", out)
				}
				return files, profile
			}
			got, ours := run(program)
			want, theirs := run(plain)
			if got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			if none := "false 0\n"; ours != none || theirs == none {
				t.Errorf("a profile of memory: %q, of a program that begins elsewhere: %q", ours, theirs)
			}
		})
	}
}
