package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestFirstInstruction: the program tells a time between its start and its end.
func TestFirstInstruction(t *testing.T) {
	p, file := &place{dir: t.TempDir()}, filepath.Join(t.TempDir(), "first")
	argv, at, err := p.firstInstruction()
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if out, err := exec.Command(argv[0], append(argv[1:], file)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	after := time.Now()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if first, err := at(text); err != nil || first.Before(before) || first.After(after) {
		t.Errorf("it began at %v, %v, between %v and %v", first, err, before, after)
	}
}
