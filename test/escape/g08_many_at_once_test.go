package escape_test

import (
	"os"
	"sync"
	"testing"
)

// G8: a hundred at once in one folder; none fails for another, and the folder
// is as it was. The defect of others number 5.
func TestG08ManyAtOnce(t *testing.T) {
	f := newField(t)
	before := f.traces(t)
	var wg sync.WaitGroup
	failures := make(chan string, 100)
	for i := range 100 {
		wg.Go(func() {
			out, err := f.box(t, "/bin/sh", "-c", "cat file && test ! -e /tmp/x && echo "+itoa(i)+" > /tmp/x").CombinedOutput()
			if err != nil {
				failures <- err.Error() + ": " + string(out)
			}
		})
	}
	wg.Wait()
	close(failures)
	n := 0
	for text := range failures {
		if n++; n <= 3 {
			t.Error("G8:", text)
		}
	}
	if n > 0 {
		t.Errorf("G8: %d of 100 failed", n)
	}
	entries, err := os.ReadDir(f.Work)
	if err != nil || len(entries) != 1 {
		t.Errorf("G8: the folder has %v %v", entries, err)
	}
	f.nothingLeft(t)
	if after := f.traces(t); after != before {
		t.Errorf("G8: before %s, after %s", before, after)
	}
}
