package escape_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Attacks on files are run once more in a view that asks: what is not granted
// is hidden there, not absent, and every question is answered no at once. Where
// /dev/fuse can be opened it is the trap that asks, elsewhere the notifier.

// asksToo reports whether a try makes sense there. What a hidden name tells there
// (F15) is another thing, and is held by the tests of the trap.
func (a attack) asksToo(y try) bool {
	return tierUnderTest() == tierProcess && strings.HasPrefix(a.ID, "F") && a.ID != "F15" && y.Want.launch == "" && !y.Unasked
}

func (a attack) asking(t *testing.T, y try) {
	f := a.prepare(t, newFieldIn(t, hiddenDir(t)))
	f.flags = append(f.flags, "--ask", "queue", "--ask-timeout", "0", "--home", "ephemeral")
	if !trapOpens() {
		f.flags = append(f.flags, "--ask-by", "notification")
	}
	if a.Flags != nil {
		f.flags = append(f.flags, a.Flags(f)...)
	}
	o := f.inside(t, y)
	for again := 0; again < 2 && y.Want.why == "" && o.Took > refusalTime() && y.Slow == ""; again++ {
		o.Took = min(o.Took, f.inside(t, y).Took) // the machine may be busy
	}
	a.judge(t, f, hiddenToo(y), o)
}

// hiddenToo: whatever it is refused with elsewhere, a question that was answered
// no refuses with EACCES.
func hiddenToo(y try) try {
	if len(y.Want.errnos) > 0 {
		y.Want.errnos = append(slices.Clone(y.Want.errnos), unix.EACCES)
	}
	return y
}

var trapOpens = sync.OnceValue(func() bool {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	return f.Close() == nil
})

// hiddenDir is a directory that no view has of its own, as /tmp is.
func hiddenDir(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(home, "ambit-escape-") //nolint:usetesting // a folder of the test lies in /tmp
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
