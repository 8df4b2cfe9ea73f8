package escape_test

import (
	"strings"
	"testing"
)

func TestP40Memory(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.flags = []string{"--limit", "memory=64M"}
	out, err := f.box(t, "python3", "-c", "x=[]\nwhile 1: x.append(bytearray(1<<20)); print(len(x), flush=True)").CombinedOutput()
	if err == nil {
		t.Error("P40: it ended well")
	}
	if n := strings.Count(string(out), "\n"); n > 90 {
		t.Errorf("P40: it had more than %d MB", n)
	}
	f.nothingLeft(t)
}

func TestP40PrivateFoldersFilled(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/tmp", "/dev/shm", "$HOME"} {
		t.Run(dir, func(t *testing.T) {
			f := newField(t)
			f.flags = []string{"--limit", "disk=8M"}
			out, err := f.box(t, "/bin/sh", "-c", "cd "+dir+" && for i in 1 2 3 4; do head -c 4M /dev/zero > $i || exit 9; done").CombinedOutput()
			if exitStatus(err) != 9 || !strings.Contains(string(out), "No space") {
				t.Errorf("P40: got %v %s", err, out)
			}
		})
	}
}
