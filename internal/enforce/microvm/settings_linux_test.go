package microvm_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce/view"
)

// TestSettings: what a view mounts of the system's settings is in the image, as the host
// has it, and nothing of it goes into each machine anew.
func TestSettings(t *testing.T) {
	tr, in := tier(t), input(t, `for f in "$@"; do cat "$f" >/dev/null && echo "$f"; done`)
	base, err := view.Base(view.Who{UID: os.Getuid(), GID: os.Getgid()})
	if err != nil {
		t.Fatal(err)
	}
	in.Base = base
	in.Program.Argv = append(in.Program.Argv, "sh")
	for _, p := range view.Mounted() {
		if fi, err := os.Lstat(p); err == nil && fi.Mode().IsRegular() {
			in.Program.Argv = append(in.Program.Argv, p)
		}
	}
	want := strings.Join(append(in.Program.Argv[4:], ""), "\n")
	r := start(t, tr, plan(t, in), "")
	res, report := r.wait(t), r.Report()
	if res.Exit != 0 || r.out.String() != want {
		t.Errorf("got %+v %q %q, want %q", res, r.out.String(), r.err.String(), want)
	}
	for _, l := range report.Layers {
		if l.Name == "view" && !strings.HasSuffix(l.Detail, " and 0 copies of what was granted") {
			t.Errorf("the view has %s", l.Detail)
		}
	}
}

// TestNotMerged: the host's kernel is not let merge a machine's memory with that of
// others, which would tell by its time what is in them.
func TestNotMerged(t *testing.T) {
	r := start(t, tier(t), plan(t, input(t, "sleep 100")), "")
	// Its process, or what that has started: one of them has the memory.
	seen := false
	for _, pid := range append(children(t, r.PID()), r.PID()) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			seen = seen || strings.Contains(line, "/vm/ram")
			if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && slices.Contains(strings.Fields(flags), "mg") {
				t.Errorf("a mapping may be merged: %s", line)
			}
		}
	}
	if !seen {
		t.Error("the machine's memory is not there to look at")
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	r.wait(t)
}
