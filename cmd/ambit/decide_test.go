package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// A gate that answers otherwise than the plan rests on ends the launch: a grant
// that was taken back between working out and recording is not used.
func TestRecordAgainstPlan(t *testing.T) {
	t.Setenv("AMBIT_STATE_DIR", t.TempDir())
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now}
	s := a.begin(&runFlags{}, []string{"true"})
	defer s.close()
	s.manifest = manifest.AdHoc(s.argv)
	s.subject = decision.Subject{Principal: "uid:1", Session: "s-1"}
	c, err := capability.ForPath(capability.FSRead, "/srv/a")
	if err != nil {
		t.Fatal(err)
	}
	s.give(c, grant.Allow, byFlag)
	if _, err := s.decide(program{real: "/usr/bin/true"}); err != nil {
		t.Fatal(err)
	}
	if err := s.record(t.Context()); err != nil {
		t.Fatalf("the same answers: %v", err)
	}
	s.given = nil
	if err := s.record(t.Context()); err == nil || !strings.Contains(err.Error(), "/srv/a") && !strings.Contains(err.Error(), "/usr/bin/true") {
		t.Errorf("the grants are gone: got %v, want an error that names a capability", err)
	}
}
