package escape_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// packed makes a pack around the attacker and has the tries run as its entry.
// It declares and is granted what every try is granted, and more.
func (f *field) packed(t *testing.T, more ...string) {
	t.Helper()
	f.pack = filepath.Join(f.Dir, "pack")
	if err := os.Mkdir(f.pack, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := copyProgram(filepath.Join(f.pack, "attacker"), attacker(t)); err != nil {
		t.Fatal(err)
	}
	var wants []string
	for _, c := range append([]string{"fs.write:" + f.Work, "fs.read:" + f.Read}, more...) {
		wants = append(wants, `{"capability": `+strconv.Quote(c)+`, "reason": "a test"}`)
	}
	for _, c := range more {
		f.flags = append(f.flags, "--allow", c)
	}
	f.put(t, filepath.Join(f.pack, "ambit.json"), `{
	"id": "dev.ambit.attacker", "name": "Attacker", "version": "1.0.0", "kind": "cli-tool",
	"description": "Tries what it must not", "entry": ["./attacker"],
	"capabilities": [`+strings.Join(wants, ",\n")+`]
}`)
}

// real is where the links of a path lead to.
func real(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
