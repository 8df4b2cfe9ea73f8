package main

import (
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// TestZoneLimits: a bound is for the one volume of its name, and what bounds nothing
// is an error.
func TestZoneLimits(t *testing.T) {
	volumes := func() []enforce.Volume {
		return []enforce.Volume{{Target: "/work/store"}, {Target: "/a/twice"}, {Target: "/b/twice"}}
	}
	v := volumes()
	s := prepared{flags: &runFlags{limits: []string{"disk=1G", "disk.store=2K", "files.store=3"}}}
	if err := s.boundZones(v); err != nil || v[0].Bytes != 2048 || v[0].Files != 3 || v[1].Bytes+v[1].Files != 0 {
		t.Errorf("got %+v, %v", v, err)
	}
	if l, err := s.limits(); err != nil || l.Disk != 1<<30 {
		t.Errorf("the limits of the whole: got %+v, %v", l, err)
	}
	for text, want := range map[string]string{
		"disk.other=1K": "no volume", "files.twice=1": "two volumes", "disk.store=0": "want a size", "files.store=1K": "want a number",
	} {
		s := prepared{flags: &runFlags{limits: []string{text}}}
		if err := s.boundZones(volumes()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	s = prepared{flags: &runFlags{limits: []string{"fds.store=9"}}}
	if _, err := s.limits(); err == nil {
		t.Error("fds.store: got no error")
	}
}
