package terminal_test

import (
	"testing"
	"time"

	"ambit.dev/ambit/internal/approval/terminal"
)

// TestArrival: whether a key came too soon is a question of when it came, however
// late it is looked at.
func TestArrival(t *testing.T) {
	drawn := time.Now().Add(-time.Hour) // looked at an hour later
	for _, tc := range []struct {
		after  time.Duration // the drawing
		counts bool
	}{{0, false}, {100 * time.Millisecond, false}, {299 * time.Millisecond, false}, {300 * time.Millisecond, true}, {time.Minute, true}} {
		if got := terminal.Counts(plain(), drawn, drawn.Add(tc.after)); got != tc.counts {
			t.Errorf("a key %s after the question was drawn counts: %v", tc.after, got)
		}
	}
}
