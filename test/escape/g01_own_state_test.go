package escape_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// G1: what decides about the next run lies in a granted folder: grants, the
// log, settings. The program may not change it, nor read its keys.
func TestG01OwnState(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.base = func() []string { return []string{"--allow", "fs.write:" + f.Dir} }
	if out, err := f.box(t, "/bin/true").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	state := filepath.Join(f.Dir, "state")
	out, err := f.box(t, "/bin/sh", "-c", "ls -R "+state+"; for x in $(find "+state+" -type f); do echo changed >> $x && echo WROTE $x; done; touch "+state+"/new && echo MADE; mv "+state+" "+state+"2 && echo MOVED").CombinedOutput()
	for _, word := range []string{"WROTE", "MADE", "MOVED", "ambit.db", "key"} {
		if strings.Contains(string(out), word) {
			t.Errorf("G1: the program reached the state (%s): %v\n%s", word, err, out)
			break
		}
	}
	if _, err := os.Stat(state + "2"); err == nil {
		t.Error("G1: the state was moved")
	}
	if out, err := f.box(t, "/bin/true").CombinedOutput(); err != nil {
		t.Errorf("G1: afterwards nothing starts: %v %s", err, out)
	}
}

// A grant of the state itself, or of a part of it, is refused.
func TestG01GrantOfState(t *testing.T) {
	t.Parallel()
	f := newField(t)
	if out, err := f.box(t, "/bin/true").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	state := filepath.Join(f.Dir, "state")
	for _, flags := range [][]string{
		{"--allow", "fs.read:" + state}, {"--allow", "fs.write:" + state}, {"--allow", "fs.read:" + state + "/audit"}, {"--allow", "fs.write:" + state + "/audit"},
		{"--allow", "fs.write:" + state + "/ambit.db"}, {"-v", state + ":/data:ro"}, {"-v", state + "/audit:/data:rw"}, {"--allow", "fs.write:" + state + "/*"},
	} {
		f.base = func() []string { return flags }
		out, err := f.box(t, "/bin/sh", "-c", "echo it runs").CombinedOutput()
		if err == nil || strings.Contains(string(out), "it runs") {
			t.Errorf("G1: %v: %v %s", flags, err, out)
		}
	}
}
