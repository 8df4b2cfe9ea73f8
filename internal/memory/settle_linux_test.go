//go:build linux && (amd64 || arm64)

package memory_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSettle holds that less of a program's file is mapped when it has come to rest, and
// nothing of its garbage, and that it goes on with what it has written since. One that was
// changed when it was loaded keeps its file.
func TestSettle(t *testing.T) {
	for _, mode := range []string{"exe", "pie"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			program := filepath.Join(t.TempDir(), "waits")
			build := exec.CommandContext(t.Context(), "go", "build", "-buildmode="+mode, "-o", program, "./testdata/waits")
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("build a program: %v\n%s", err, out)
			}
			file, own := settled(t, program)
			if own < 15<<10 {
				t.Errorf("%d KiB of 16 MiB of garbage were returned", own)
			}
			if given := file > 256; given != (mode == "exe") {
				t.Errorf("%d KiB of the file are mapped no longer", file)
			}
		})
	}
}

// settled is how much less a program has mapped when it has given back, in KiB: of its
// file, and of all else.
func settled(t *testing.T, program string) (file, own int) {
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	file, own = mapped(t, cmd.Process.Pid, program)
	time.Sleep(4 * time.Second) // it is old then
	f, o := mapped(t, cmd.Process.Pid, program)
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("what it had written has changed: %v", err)
	}
	return file - f, own - o
}

// mapped is what a process has in its page table, in KiB: of its program, and of all else.
func mapped(t *testing.T, pid int, program string) (file, own int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	to := &own
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) == 3 && f[0] == "Rss:":
			n, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			*to += n
		case len(f) >= 5 && len(f[1]) == 4: // a mapping: where, and what may be done with it
			if to = &own; f[len(f)-1] == program && f[1][1] == '-' {
				to = &file
			}
		}
	}
	return file, own
}
