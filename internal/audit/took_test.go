package audit_test

import (
	"testing"

	"ambit.dev/ambit/internal/audit"
)

// Each append that succeeded is counted once, and how long all took is there.
func TestTook(t *testing.T) {
	t.Parallel()
	_, l := smallLog(t)
	if took := l.Took(); len(took.Counts) != 0 || took.Sum != 0 {
		t.Errorf("before anything was written: %+v", took)
	}
	for i := range 5 {
		if _, err := l.Append(t.Context(), decision(t, i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Append(t.Context(), audit.Record{Kind: "none"}); err == nil {
		t.Fatal("a record of no kind was written")
	}
	n := 0
	for _, c := range l.Took().Counts {
		n += c
	}
	if took := l.Took(); n != 5 || took.Sum <= 0 || len(took.Counts) > len(audit.Bounds)+1 || took.Counts[len(took.Counts)-1] == 0 {
		t.Errorf("%+v", took)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
