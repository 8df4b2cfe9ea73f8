package keep

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What runs is not removed; what was never begun is, and is begun by nobody afterwards.
func TestRemove(t *testing.T) {
	t.Parallel()
	jobs := t.TempDir()
	put := func(name string) string {
		dir := filepath.Join(jobs, name)
		if err := Put(dir, Job{Principal: "uid:1"}); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	runs := put("runs")
	begun, err := begin(runs)
	if err != nil {
		t.Fatal(err)
	}
	if err := Remove(runs); !errors.Is(err, ErrRuns) {
		t.Errorf("what runs is removed: %v", err)
	}
	if err := begun.Close(); err != nil {
		t.Fatal(err)
	}
	waits := put("waits")
	for _, dir := range []string{runs, waits} {
		if err := Remove(dir); err != nil {
			t.Error(err)
		}
		if err := Run(dir, MaxOutput); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is begun: %v", dir, err)
		}
	}
	if left, err := os.ReadDir(jobs); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// What is left of a removal goes, and of a folder that nobody goes on to make.
func TestSweep(t *testing.T) {
	t.Parallel()
	jobs := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{".gone-s-a", ".new-1", ".new-2", "s-b"} {
		if err := errors.Join(os.Mkdir(filepath.Join(jobs, name), 0o700), os.WriteFile(filepath.Join(jobs, name, jobFile), []byte("{"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(jobs, ".new-1"), old, old); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(jobs, old.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(jobs)
	if err != nil || len(left) != 2 || left[0].Name() != ".new-2" || left[1].Name() != "s-b" {
		t.Errorf("left: %v, %v", left, err)
	}
}
