// Package escape_test attacks sandboxes: one file for each line of the list of
// attacks, each run against the real binary.
//
// An attack is a few tries. Each try runs twice in a process of its own:
// outside, as the control, where it must succeed, and inside `ambit run`, where
// it must not. What counts is the effect: a canary of the host that is neither
// read nor changed, a process that lives, a listener that nobody reached; then
// the errno; then the time. At the end no process may be left.
//
// The process that tries is this test program again: an attack's tries are
// written where they are declared, and TestMain enters the same test with
// `attempt TEST TRY FIELD`.
//
// AMBIT_BIN names the binary under test; without it, it is built. AMBIT_TEST_TIER
// names the tier that is attacked.
package escape_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// attempting is set in a process that tries: the words after "attempt".
var attempting []string

// scratch holds the programs that the tests start. Everybody may go in.
var scratch string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if len(os.Args) > 1 && os.Args[1] == "show" {
		show(os.Args[2])
		return 0
	}
	if len(os.Args) > 3 && os.Args[1] == "stage" {
		return onStage(os.Args[2:])
	}
	if len(os.Args) > 2 && os.Args[1] == "attempt" {
		attempting = os.Args[2:]
		os.Args = []string{os.Args[0], "-test.run=^" + attempting[0] + "$"}
		return m.Run()
	}
	err := checkTier()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if scratch, err = os.MkdirTemp("", "ambit-escape-"); err == nil {
		err = os.Chmod(scratch, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// programs are the binary under test and the attacker, a copy of this program
// where every user and every sandbox can read it.
var programs = sync.OnceValues(func() (p struct{ ambit, attacker string }, err error) {
	p.ambit, p.attacker = filepath.Join(scratch, "ambit"), filepath.Join(scratch, "attacker")
	self, err := os.Executable()
	if err != nil {
		return p, err
	}
	if err := copyProgram(p.attacker, self); err != nil {
		return p, err
	}
	if bin := os.Getenv("AMBIT_BIN"); bin != "" {
		return p, copyProduct(scratch, filepath.Dir(bin))
	}
	// The go command caches a pass by the files that the test itself opens.
	err = filepath.WalkDir("../..", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		return p, err
	}
	build := exec.Command("go", "build", "-ldflags=ambit.dev/ambit/cmd/ambit=-E=ambit.dev/ambit/internal/entry.Entry", "-o", scratch, "ambit.dev/ambit/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return p, fmt.Errorf("build ambit: %w\n%s", err, out)
	}
	return p, nil
})

func ambit(t testing.TB) string {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return p.ambit
}

// companion is one of the programs that lie beside ambit.
func companion(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(filepath.Dir(ambit(t)), name)
}

func attacker(t testing.TB) string {
	t.Helper()
	p, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return p.attacker
}

// copyProduct copies ambit, and the programs that lie beside it.
func copyProduct(to, from string) error {
	all, err := filepath.Glob(filepath.Join(from, "ambit*"))
	for _, path := range all {
		err = errors.Join(err, copyProgram(filepath.Join(to, filepath.Base(path)), path))
	}
	return err
}

// copyProgram copies a program. No process is begun meanwhile: it would have the
// copy open for writing until it executes something, and nobody could execute the
// copy (ETXTBSY).
func copyProgram(to, from string) (err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
