package store

import (
	"strings"
	"testing"
	"time"
)

// FuzzNote: a line is read as it was written, and what is read of another line
// can be written and read again.
func FuzzNote(f *testing.F) {
	whole := Noted{Session: Session{ID: "s-1", Principal: "uid:1", Pack: "a b", Program: "/bin/\xff\n\"", Tier: "process", Status: "exit 3", PID: 7,
		Started: time.Unix(1, 2).UTC(), Ended: time.Unix(3, 4).UTC()}, Process: "boot/5"}
	line := string(whole.append(nil))
	if strings.Contains(line, "\n") {
		f.Fatalf("a line of two: %q", line)
	}
	if got, ok := parseNote(line + "\n"); !ok || got != whole {
		f.Fatalf("got %+v, %v, want %+v", got, ok, whole)
	}
	for n := range len(line) {
		if got, ok := parseNote(line[:n]); ok {
			f.Fatalf("a part of a line was taken: %q, %+v", line[:n], got)
		}
	}
	f.Add(line)
	f.Add("")
	f.Fuzz(func(t *testing.T, line string) {
		n, ok := parseNote(line)
		if !ok {
			return
		}
		if again, ok := parseNote(string(n.append(nil))); !ok || again != n {
			t.Errorf("%q: got %+v, %v, want %+v", line, again, ok, n)
		}
	})
}
