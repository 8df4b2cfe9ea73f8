//go:build linux

// Package companiontest has a process that a companion confines try what it must not be
// able to, for tests of companions; it is not in the product.
//
// What is taken from a process cannot be given back, so it is tried in a copy of the test
// binary: once confined, and once not, where all of it must work.
//
// Layer: for tests of programs beside ambit.
package companiontest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// Attempt is something that a process tries in a folder, and what comes of it.
type Attempt struct {
	Name     string
	Confined error // nil: it works
	Free     error // where nothing was taken: nil, but for what this user may not do anyway
	Try      func(dir string) error
}

// variable says how a copy of the test binary is to try, and where: "confined:/folder".
const variable = "AMBIT_COMPANION_TEST"

// Main runs the tests of a companion, or the attempts in a copy of their binary, and does
// not return.
func Main(m *testing.M, confine func(dir string) error, attempts []Attempt) {
	how, dir, child := strings.Cut(os.Getenv(variable), ":")
	if !child {
		os.Exit(m.Run())
	}
	if how == "confined" {
		if err := confine(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for _, a := range attempts {
		fmt.Printf("%s: %v\n", a.Name, a.Try(dir))
	}
	os.Exit(0)
}

// Run has a copy of the test binary try everything in dir, confined and then not.
func Run(t *testing.T, dir string, attempts []Attempt) {
	t.Helper()
	if _, err := landlock.ABI(); err != nil {
		t.Skipf("requires: Landlock (%v)", err)
	}
	for _, how := range []string{"confined", "free"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), variable+"="+how+":"+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", how, err, out)
		}
		for _, a := range attempts {
			want := a.Confined
			if how == "free" {
				want = a.Free
			}
			if line := fmt.Sprintf("%s: %v\n", a.Name, want); !strings.Contains(string(out), line) {
				t.Errorf("%s: want %sgot\n%s", how, line, out)
			}
		}
	}
}

// Open opens a file and closes it again.
func Open(path string, flag int) error {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return Errno(err)
	}
	return f.Close()
}

// Start starts a program and waits for its end, with no files that would have to be
// opened for it.
func Start(program string) error {
	pid, err := syscall.ForkExec(program, []string{program}, &syscall.ProcAttr{})
	if err != nil {
		return Errno(err)
	}
	_, err = syscall.Wait4(pid, nil, 0, nil)
	return err
}

// Made takes away again what was made at a path.
func Made(err error, path string) error {
	if err == nil {
		err = os.Remove(path)
	}
	return Errno(err)
}

// Errno is the kernel's word for an error, where it has one.
func Errno(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}
