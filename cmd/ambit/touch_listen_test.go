package main

import (
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

// TestListening: which capability a port is asked about by, and which is asked
// about at all.
func TestListening(t *testing.T) {
	declared, err := capability.Parse("net.listen:80/8888")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		open bool
		port uint16
		want string
	}{
		{true, 8080, "net.listen:8080"},
		{true, 80, "net.listen:80/8080"},
		{true, 443, "net.listen:443/8443"},
		{true, 1023, "net.listen:1023/9023"},
		{true, 32767, "net.listen:32767"},
		{true, 32768, ""}, // the kernel may have chosen it
		{true, 60999, ""},
		{false, 80, "net.listen:80/8888"},
		{false, 8080, ""},
	} {
		s := &prepared{manifest: manifest.Manifest{Open: tc.open}}
		if !tc.open {
			s.manifest.Wants = []manifest.Want{{Capability: declared}}
		}
		if got := s.listening(tc.port); got.String() != tc.want && (tc.want != "" || !got.IsZero()) {
			t.Errorf("%+v: %q", tc, got)
		}
	}
}
