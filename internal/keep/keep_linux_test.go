package keep_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/keep"
)

// TestMain is also a keeper, where the tests start this program as one.
func TestMain(m *testing.M) {
	if dir := os.Getenv("AMBIT_TEST_KEEP"); dir != "" {
		if err := keep.Run(dir, bound); err != nil && !errors.Is(err, keep.ErrBegun) {
			os.Exit(1)
		}
		os.Exit(0)
	}
	if at := os.Getenv("AMBIT_TEST_RAMFS"); at != "" {
		if err := onRamfs(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	bound    = 100 << 10
	patience = 60 * time.Second
)

// job makes the folder of a job that is a line of shell.
func job(t *testing.T, line string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "job")
	if err := keep.Put(dir, keep.Job{Path: "/bin/sh", Args: []string{"-c", line}, Dir: "/", Stdin: []byte("in\n")}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// keeper is this program as a keeper of a folder.
func keeper(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "AMBIT_TEST_KEEP="+dir)
	return cmd
}

// all is what was kept of each stream.
func all(t *testing.T, dir string) (out, bad string) {
	t.Helper()
	for at := int64(0); ; {
		f, err := keep.Read(dir, at)
		if errors.Is(err, io.EOF) {
			return out, bad
		}
		if err != nil {
			t.Fatal(err)
		}
		if at = f.Next; f.Stream == keep.Stdout {
			out += string(f.Data)
		} else {
			bad += string(f.Data)
		}
	}
}

func wantState(t *testing.T, dir string, want keep.State) keep.End {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		got, how, err := keep.Look(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got == want {
			return how
		}
		if time.Now().After(end) {
			t.Fatalf("the job is in the state %v, want %v", got, want)
		}
	}
}

// Of several keepers one runs the job, and its output and its end are there.
func TestOnce(t *testing.T) {
	t.Parallel()
	dir := job(t, "cat; echo bad >&2; echo run >> "+filepath.Join(t.TempDir(), "runs")+"; exit 7")
	if state, _, err := keep.Look(dir); err != nil || state != keep.Waiting {
		t.Errorf("before a keeper: %v %v", state, err)
	}
	var several []*exec.Cmd
	for range 4 {
		cmd := keeper(t, dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		several = append(several, cmd)
	}
	for _, cmd := range several {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	if how := wantState(t, dir, keep.Ended); how.Exit != 7 || how.Dropped != 0 {
		t.Errorf("it ended with %+v", how)
	}
	if out, bad := all(t, dir); out != "in\n" || bad != "bad\n" {
		t.Errorf("it wrote %q and %q", out, bad)
	}
}

// The newest output is kept, in the order in which it came, and the program is not held
// up.
func TestBound(t *testing.T) {
	t.Parallel()
	dir := job(t, "head -c 300000 /dev/zero; echo; echo bad >&2; sleep 0.1; echo the end")
	if err := keeper(t, dir).Run(); err != nil {
		t.Fatal(err)
	}
	how := wantState(t, dir, keep.Ended)
	out, bad := all(t, dir)
	if how.Exit != 0 || how.Dropped != 0 || len(out) < bound/2 || len(out)+len(bad) > bound || bad != "bad\n" || !strings.HasSuffix(out, "\x00\nthe end\n") {
		t.Errorf("%d bytes are kept, %+v; it ends with %q, and %q", len(out), how, out[max(0, len(out)-20):], bad)
	}
}

// A piece of a frame, or an offset that no frame begins at, is not read as one.
func TestFrames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(b string) {
		if err := os.WriteFile(filepath.Join(dir, "output"), []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const whole = "\x01\x00\x00\x00\x02hi"
	for _, piece := range []string{"", "\x01", whole[:5], whole[:6]} {
		write(piece)
		if _, err := keep.Read(dir, 0); !errors.Is(err, io.EOF) {
			t.Errorf("%q: %v, want io.EOF", piece, err)
		}
	}
	write(whole + whole[:6])
	f, err := keep.Read(dir, 0)
	if err != nil || string(f.Data) != "hi" {
		t.Errorf("read %q, %v", f.Data, err)
	}
	if _, err := keep.Read(dir, f.Next); !errors.Is(err, io.EOF) {
		t.Errorf("behind it: %v", err)
	}
	write("\x01\xff\xff\xff\xff" + strings.Repeat("a", 100))
	for _, at := range []int64{-1, 0, 3, 1 << 40} {
		if _, err := keep.Read(dir, at); !errors.Is(err, keep.ErrOffset) {
			t.Errorf("at %d: %v", at, err)
		}
	}
}

// What a keeper that is killed has started is told to end, and its job is lost, not
// running.
func TestKeeperKilled(t *testing.T) {
	t.Parallel()
	dir := job(t, "echo $$; exec sleep 1000")
	cmd := keeper(t, dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid string
	for end := time.Now().Add(patience); pid == "" && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if out, _ := all(t, dir); strings.HasSuffix(out, "\n") {
			pid = strings.TrimSpace(out)
		}
	}
	wantState(t, dir, keep.Running)
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	wantState(t, dir, keep.Lost)
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		line, err := os.ReadFile("/proc/" + pid + "/cmdline")
		if err != nil || !bytes.Contains(line, []byte("sleep")) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("process %s goes on", pid)
		}
	}
}
