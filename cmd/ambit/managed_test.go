package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestLook: a machine's first policy counts for the next decision, for those of a launch
// after they were made, and a launch that was prepared without it does not happen.
func TestLook(t *testing.T) {
	for name, held := range map[string]bool{"a decision": false, "a launch": true} {
		m := &managed{dir: filepath.Join(t.TempDir(), "policy")}
		s := &prepared{managed: m}
		release := func() {}
		if held {
			release = m.hold()
		}
		if err := s.launchable(); err != nil || m.look() || m.Rules() {
			t.Errorf("%s: there are policies in a folder that is not there, %v", name, err)
		}
		if err := errors.Join(os.Mkdir(m.dir, 0o755), os.WriteFile(m.dir+"/a.cedar", nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		if m.Rules() || m.look() == held {
			t.Errorf("%s: a policy that has come counts: %v", name, held)
		}
		release()
		if err := s.launchable(); err == nil || !m.look() || !m.Rules() {
			t.Errorf("%s: what was decided without it is launched", name)
		}
		s.ruled = true
		if err := s.launchable(); err != nil {
			t.Errorf("%s: what was decided with it is not launched: %v", name, err)
		}
	}
}
