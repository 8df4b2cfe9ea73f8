package store_test

import (
	"path/filepath"
	"testing"
)

// The stamp of a list is another one after each change by another process of the store,
// and the same where nothing was changed.
func TestStamp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	l, other := openList(t, path), openList(t, path)
	last := l.Stamp()
	if last == "" {
		t.Fatal("a list without a stamp")
	}
	ans := allowed(t, "another")
	for name, change := range map[string]func() error{
		"put":    func() error { return other.AddApproval(t.Context(), question(t, "d-1")) },
		"look":   nil,
		"answer": func() error { return other.AnswerApproval(t.Context(), "d-2", ans, noon) },
	} {
		if name == "answer" { // of a question that is there
			if err := l.AddApproval(t.Context(), question(t, "d-2")); err != nil {
				t.Fatal(err)
			}
			last = l.Stamp()
		}
		if change == nil {
			if _, err := other.Approvals(t.Context()); err != nil || l.Stamp() != last {
				t.Errorf("%s: the stamp went from %x to %x, %v", name, last, l.Stamp(), err)
			}
			continue
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if now := l.Stamp(); now == last || now != other.Stamp() {
			t.Errorf("%s: the stamp went from %x to %x, and to another it is %x", name, last, now, other.Stamp())
		}
		last = l.Stamp()
	}
}
