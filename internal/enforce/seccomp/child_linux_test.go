package seccomp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

// A filter cannot be taken off, so whatever installs one runs in a copy of the
// test binary. An entry is where such a copy begins.
type entry func(o seccomp.Options, filtered bool)

func children() map[string]entry {
	all := map[string]entry{"probes": probeAll, "held": heldEntry, "program": becomeProgram}
	maps.Copy(all, nativeChildren())
	return all
}

// An order is what the copy is told, in its environment.
type order struct {
	Child    string
	Options  seccomp.Options
	Filtered bool
}

const orderVariable = "AMBIT_SECCOMP_TEST_CHILD"

func TestMain(m *testing.M) {
	if script := os.Getenv(scriptVariable); script != "" && os.Args[0] == "script" {
		scripts[script]()
		os.Exit(0)
	}
	text := os.Getenv(orderVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	children()[o.Child](o.Options, o.Filtered)
	os.Exit(0)
}

// child returns the command that carries out an order, for root in mount, ipc,
// uts and network namespaces of its own, so that a control can do no harm.
func child(t *testing.T, o order) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), orderVariable+"="+string(text))
	cmd.Stderr = new(bytes.Buffer)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET
	}
	return cmd
}

// runChild returns what the child printed, line by line, as "name: result".
func runChild(t *testing.T, o order) map[string]string {
	t.Helper()
	cmd := child(t, o)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s (filtered %v): %v\n%s%s", o.Child, o.Filtered, err, out, cmd.Stderr)
	}
	results := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
		results[name] = result
	}
	return results
}

func tell(name string, err error) {
	var e unix.Errno
	switch {
	case err == nil:
		fmt.Printf("%s: ok\n", name)
	case errors.As(err, &e):
		fmt.Printf("%s: %s\n", name, unix.ErrnoName(e))
	default:
		fmt.Printf("%s: %v\n", name, err)
	}
}

// raw makes a call and returns its error as a plain nil when there is none.
func raw(nr uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, e := unix.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
		return e
	}
	return nil
}
