package escape_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestP39ForkBomb(t *testing.T) {
	f := newField(t)
	f.flags = []string{"--limit", "pids=64", "--limit", "wall=3s"}
	cmd := f.box(t, "/bin/bash", "-c", ":(){ :|:& };:; sleep 600")
	out := &output{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = longest
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	most := 0
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		most = max(most, len(f.marked()))
		begin := time.Now()
		if err := exec.Command("/bin/true").Run(); err != nil || time.Since(begin) > longest {
			t.Errorf("P39: the host is not usable: %v", err)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("P39: it ended well")
	}
	if most > 80 {
		t.Errorf("P39: %d processes at once, the limit is 64", most)
	}
	if !strings.Contains(out.String(), "limit") {
		t.Errorf("P39: no reason told: %.500s", out)
	}
	f.nothingLeft(t)
}
