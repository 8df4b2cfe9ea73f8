package landlock_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// A domain cannot be left, so what is confined runs in a copy of the test
// binary, told in its environment where the view is and what lies outside.
type order struct {
	View, Outside string // directories
	Abstract      string // name of a listening socket
	Victim        int    // a process
	Confined      bool
	Without       uint64 // rights that the rule beneath View does not give
	Device        bool   // try a device's ioctl and nothing else
}

const orderVariable = "AMBIT_LANDLOCK_TEST_CHILD"

func TestMain(m *testing.M) {
	text := os.Getenv(orderVariable)
	if text == "" {
		os.Exit(m.Run())
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	if err := attempts(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// runChild returns what the copy printed, as "name: result".
func runChild(t *testing.T, o order) map[string]string {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), orderVariable+"="+string(text))
	cmd.Stderr = new(bytes.Buffer)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, cmd.Stderr)
	}
	results := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
		results[name] = result
	}
	return results
}

// confine restricts this thread as a sandbox is restricted: one rule, on the
// view.
func confine(view string, without uint64) error {
	abi, err := landlock.ABI()
	if err != nil {
		return err
	}
	ruleset, err := landlock.Ruleset(abi)
	if err != nil {
		return err
	}
	defer unix.Close(ruleset)
	root, err := unix.Open(view, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	if err := landlock.Allow(ruleset, root, landlock.AllFS(abi)&^without); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, e := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), uintptr(landlock.RestrictFlags(abi)), 0)
	if e != 0 {
		return e
	}
	return nil
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

// attempts tries everything once, on one thread, which is confined or not.
func attempts(o order) error {
	runtime.LockOSThread()
	// What slips in: directories of the host that are open before.
	host, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	outside, err := unix.Open(o.Outside, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	mountLater := mounter(o)
	if o.Confined {
		if err := confine(o.View, o.Without); err != nil {
			return fmt.Errorf("confine: %w", err)
		}
	}
	if o.Device {
		tell("ioctl", deviceIoctl())
		return nil
	}
	for _, a := range list(o, host, outside, mountLater) {
		tell(a.name, a.try())
	}
	return nil
}

// mounter returns a function that has a thread which is not confined mount
// what lies outside in the view: a grant that came later.
func mounter(o order) func() error {
	ask, answer := make(chan bool), make(chan error)
	go func() {
		runtime.LockOSThread()
		<-ask
		answer <- unix.Mount(o.Outside, o.View+"/mnt", "", unix.MS_BIND, "")
	}()
	return func() error { ask <- true; return <-answer }
}
