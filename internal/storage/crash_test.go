package storage_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/storage"
)

// writerEnv has this test binary be a writer that commits until it is killed.
const writerEnv = "AMBIT_TEST_STORAGE_WRITER"

// valueOf is a value of several blocks, whole only if it is one number throughout.
func valueOf(i int) string { return strings.Repeat(fmt.Sprintf("%8d\n", i), 3000) }

func TestMain(m *testing.M) {
	root := os.Getenv(writerEnv)
	if root == "" {
		os.Exit(m.Run())
	}
	s, err := storage.Open(root, owner, storage.Limits{})
	for i := 1; err == nil; i++ {
		var d *storage.Draft
		if d, err = s.Draft("k", false); err == nil {
			_, err = d.WriteAt([]byte(valueOf(i)), 0)
		}
		if err == nil {
			_, _, err = d.Commit(by("s"))
		}
		if err == nil {
			_, err = fmt.Fprintln(os.Stdout, i)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestCrashAtEveryStep: a writer that is killed at any moment leaves a whole version:
// the last that it said is committed, or a later one.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for round := range 12 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), writerEnv+"="+root)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said, lines := 0, bufio.NewScanner(out)
		for said < 2+round%4 && lines.Scan() {
			if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
				t.Error(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it was gone
			if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
				t.Error(err)
			}
		}
		_ = cmd.Wait() // it was killed
		got, now := content(t, open(t, root, owner, storage.Limits{}), "k"), 0
		if _, err := fmt.Sscan(got, &now); err != nil || got != valueOf(now) || now < said {
			t.Fatalf("round %d: it said %d, and there are %d bytes that begin with %d (%v)", round, said, len(got), now, err)
		}
	}
	if v, err := open(t, root, owner, storage.Limits{}).Get("k"); err != nil || contents(t, root) > len(v.Versions)+1 {
		t.Errorf("%d contents of %d versions are left (%v)", contents(t, root), len(v.Versions), err)
	}
}
