package escape_test

import (
	"os"
	"strings"
	"testing"
)

// The program sees itself and process 1, no process of the host, and the host
// sees one launcher and one init beside it. Numbers 21 and 28 of the defects
// of others.
func TestD28OtherProcesses(t *testing.T) {
	t.Parallel()
	f := newField(t)
	out, err := f.box(t, "/bin/sh", "-c", "set -- /proc/[0-9]*; echo $#").Output()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Fields(string(out))[0]; n != "2" { // init and sh, which starts nothing to count
		t.Errorf("D28: %s processes are seen: %s", n, out)
	}
	s := f.begin(t, "echo ready; exec sleep 600")
	f.within(longest, func() bool { return len(f.marked()) == 3 })
	if n := len(f.marked()); n != 3 { // ambit, init, sleep
		t.Errorf("D21: %d processes for one sandbox, want 3", n)
		for _, pid := range f.marked() {
			words, _ := os.ReadFile("/proc/" + itoa(pid) + "/cmdline")
			t.Logf("%d %.80q", pid, words)
		}
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	f.nothingLeft(t)
}
