package sdk_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	ambit "ambit.dev/ambit/sdk/go"
)

// compile is the example words as a pack: its program, and the manifest that its values
// were made into.
func compile(t *testing.T) (pack string) {
	t.Helper()
	compiler, err := exec.LookPath("go")
	if err != nil {
		t.Skip("requires: go")
	}
	pack = t.TempDir()
	text, err := os.ReadFile("../../examples/apps/words/ambit.json")
	if err == nil {
		err = os.WriteFile(filepath.Join(pack, "ambit.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"build", "-o", filepath.Join(pack, "words"), "../../examples/apps/words"}, {"build", "-o", pack, "../../sdk/go/cmd/manifest"}} {
		cmd := exec.Command(compiler, args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	check := exec.Command(filepath.Join(pack, "manifest"), "-check", "-out", filepath.Join(pack, "ambit.json"), "Manifest")
	check.Dir = "../../examples/apps/words/want"
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("the manifest: %v %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(pack, "other.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	check = exec.Command(filepath.Join(pack, "manifest"), "-check", "-out", filepath.Join(pack, "other.json"), "Manifest")
	check.Dir = "../../examples/apps/words/want"
	if out, err := check.CombinedOutput(); err == nil || !strings.Contains(string(out), "go generate") {
		t.Errorf("another manifest: %v %s", err, out)
	}
	return pack
}

// A program that declares in Go what it wants is told in a sandbox what it got, and
// does with less what it can.
func TestApp(t *testing.T) {
	t.Parallel()
	pack := compile(t)
	h, _, _ := newHost(t)
	c, err := ambit.Dial(t.Context(), h.State)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := os.Mkdir(filepath.Join(h.Home, "count"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"text.txt": "one two three", "more.txt": "four five"} {
		if err := os.WriteFile(filepath.Join(h.Home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const text, count, more = "fs.read:~/text.txt", "fs.write:~/count", "fs.read:~/more.txt"
	for _, run := range []struct {
		what         string
		allow        []string
		said, counts string
		exit         int
	}{
		{"all", []string{text, count, more}, text + ": held\n" + count + ": held\n" + more + ": held\n", "5\n", 0},
		{"without what is optional", []string{text, count}, text + ": held\n" + count + ": held\n" + more + ": refused\n", "3\n", 0},
		{"only reading", []string{text}, text + ": held\n" + count + ": refused\n" + more + ": refused\n", "", 1},
	} {
		result := filepath.Join(h.Home, "count", "words")
		if err := os.Remove(result); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		s, err := c.Start(t.Context(), ambit.Command{Pack: pack, Allow: run.allow})
		if err != nil {
			t.Fatalf("%s: %v %v", run.what, err, ambit.Denials(err))
		}
		var out, bad bytes.Buffer
		exit, err := s.Wait(t.Context(), &out, &bad)
		counted, _ := os.ReadFile(result) // there may be none
		if err != nil || exit != run.exit || out.String() != run.said || string(counted) != run.counts {
			t.Errorf("%s: exit %d, %v\n%s%s%q", run.what, exit, err, out.String(), bad.String(), counted)
		}
	}
}
