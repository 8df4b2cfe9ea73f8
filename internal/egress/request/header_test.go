package request

import (
	"net/http"
	"reflect"
	"testing"
)

// TestLeaveOut: what is about one connection is left out in place as it is in a copy.
func TestLeaveOut(t *testing.T) {
	h := http.Header{"X-Kept": {"a", "b"}, "X-Listed": {"c"}, "X-Too": {"d"}, "Connection": {"close, x-listed", "X-Too"}}
	for _, name := range hop[1:] {
		h[name] = []string{"x"}
	}
	copied := without(h)
	leaveOut(h)
	if want := (http.Header{"X-Kept": {"a", "b"}}); !reflect.DeepEqual(h, want) || !reflect.DeepEqual(copied, want) {
		t.Errorf("left %v, and in a copy %v", h, copied)
	}
}
