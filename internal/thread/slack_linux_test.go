//go:build linux && (amd64 || arm64)

package thread_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEntry holds that a program that begins at entry.Entry has its timers be late where
// its first argument is "run", and not elsewhere; that it knows what they were
// before; and that Exact and Exactly give that back.
func TestEntry(t *testing.T) {
	program := filepath.Join(t.TempDir(), "begin")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-E=ambit.dev/ambit/internal/entry.Entry", "-o", program, "./testdata/begin")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build a program: %v\n%s", err, out)
	}
	ours, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	const late = 1000000
	if ours <= 0 || ours >= late {
		t.Skip("requires: timers that are late by less than a millisecond")
	}
	exact := fmt.Sprintf("%d 0 %d %d %d\n", ours, ours, ours, ours)
	again := fmt.Sprintf("%d %d %d %d %d\n", ours, ours, ours, ours, ours)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"run", []string{"run", "x"}, fmt.Sprintf("%d %d %d %d %d\n", late, ours, late, ours, late) + again},
		{"alone", []string{"run"}, fmt.Sprintf("%d %d %d %d %d\n", late, ours, late, ours, late) + again},
		{"no arguments", nil, exact + exact},
		{"nothing", []string{""}, exact + exact},
		{"another word", []string{"runs"}, exact + exact},
		{"shorter", []string{"r", "un"}, exact + exact},
		{"behind another", []string{"x", "run"}, exact + exact},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), program, c.args...).CombinedOutput()
			if err != nil || string(out) != c.want {
				t.Errorf("got %q (%v), want %q", out, err, c.want)
			}
		})
	}
}
