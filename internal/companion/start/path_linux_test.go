package start_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/companion/start"
)

// A companion lies beside the program itself, not beside a link to it, and not where
// anybody could have put it.
func TestPathWritable(t *testing.T) {
	if os.Getenv("AMBIT_TEST_PATH") != "" {
		path, err := start.Path("ambit-x")
		t.Logf("found %q: %v", path, err)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		mode os.FileMode
		want string
	}{
		{"own", 0o700, "/lib/ambit-x\": <nil>"},
		{"readable", 0o755, "/lib/ambit-x\": <nil>"},
		{"a group's", 0o775, "/lib/ambit-x\": <nil>"},
		{"anybody's", 0o777, "anybody may write the folder"},
		{"like /tmp", 0o777 | os.ModeSticky, "anybody may write the folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			lib, link := filepath.Join(dir, "lib"), filepath.Join(dir, "link")
			if err := os.Mkdir(lib, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(lib, "x"), text, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(lib, "x"), link); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(lib, c.mode); err != nil {
				t.Fatal(err)
			}
			run := exec.Command(link, "-test.run=^TestPathWritable$", "-test.v")
			run.Env = append(os.Environ(), "AMBIT_TEST_PATH=1")
			out, err := run.CombinedOutput()
			if err != nil || !strings.Contains(string(out), c.want) {
				t.Errorf("err %v, want %q in:\n%s", err, c.want, out)
			}
		})
	}
}
