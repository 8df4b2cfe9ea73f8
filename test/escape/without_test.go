package escape_test

import (
	"os"
	"path/filepath"
	"testing"
)

// without lays ambit and its store beside one of its other programs that is a
// script, a folder ("/"), nothing (""), or a file that nobody can run ("-"). It
// returns ambit's path.
func (f *field) without(t *testing.T, companionName, script string) string {
	t.Helper()
	bin := filepath.Join(f.Dir, "bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(bin, "ambit")
	if err := copyProgram(program, ambit(t)); err != nil {
		t.Fatal(err)
	}
	err := copyProgram(filepath.Join(bin, "ambit-store"), companion(t, "ambit-store"))
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(bin, companionName)
	switch script {
	case "":
	case "/":
		err = os.Mkdir(at, 0o755)
	case "-":
		err = os.WriteFile(at, []byte("x"), 0o644)
	default:
		write(t, at, []byte(script))
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}
