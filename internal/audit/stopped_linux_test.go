package audit_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
)

// slowDisk is one that makes nothing durable before somebody says so.
type slowDisk struct{ audit.Disk }

func (d slowDisk) Sync(f *os.File) error {
	fmt.Println("syncing")
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	return d.Disk.Sync(f)
}

// slowWriter is a process that appends one record, slowly, and waits for its end.
func slowWriter(dir string) error {
	l, err := audit.Open(dir, audit.Options{}.WithDisk(slowDisk{audit.OSDisk}))
	if err != nil {
		return err
	}
	r, err := audit.New(audit.DecisionBody{Capability: "fs.read:/x", Outcome: "deny"})
	if err != nil {
		return err
	}
	r.ID = "d-slow"
	if _, err := l.Append(context.Background(), r); err != nil {
		return err
	}
	fmt.Println("written")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return l.Close()
}

// slow is such a process. It has a process group of its own, as a job has.
type slow struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startSlow(t *testing.T, dir string) *slow {
	t.Helper()
	s := &slow{t: t, cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), "AUDIT_TEST_STOPPED="+dir)
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	return s
}

// says waits for a line.
func (s *slow) says(want string) {
	s.t.Helper()
	if !s.out.Scan() || s.out.Text() != want {
		s.t.Fatalf("it says %q, want %q (%v)", s.out.Text(), want, s.out.Err())
	}
}

func (s *slow) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// goesOn lets the disk work.
func (s *slow) goesOn() {
	s.t.Helper()
	if _, err := s.in.Write([]byte{'x'}); err != nil {
		s.t.Fatal(err)
	}
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what + " does not happen")
		}
	}
}

// stopped reports whether each of its threads is: one that waits for a lock may be
// given it until then.
func (s *slow) stopped() bool {
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/task/*/status")
	for _, task := range tasks {
		if text, err := os.ReadFile(task); err != nil || !strings.Contains(string(text), "State:\tT") {
			return false
		}
	}
	return err == nil && len(tasks) > 0
}

// appendTo appends a record in this process.
func appendTo(t *testing.T, dir string, within time.Duration, waits func(audit.Holder)) error {
	t.Helper()
	l := open(t, dir, audit.Options{Waits: waits})
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	_, err := l.Append(ctx, decision(t, 1))
	return err
}

// TestStoppedWhileWriting: a process that is stopped from the terminal while it
// writes stops when it has written, and keeps nobody waiting.
func TestStoppedWhileWriting(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, audit.Options{}).Close()
	s := startSlow(t, dir)
	s.says("syncing")
	s.signal(syscall.SIGTSTP)
	until(t, "that the signal arrives", func() bool {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/status")
		const pending = "ShdPnd:\t0000000000000000"
		return err == nil && strings.Contains(string(text), pending)
	})
	s.goesOn()
	until(t, "that it stops", s.stopped)
	if err := appendTo(t, dir, time.Minute, nil); err != nil {
		t.Errorf("while another one is stopped: %v", err)
	}
	s.signal(syscall.SIGCONT)
	s.says("written")
	// And once more, where it writes nothing.
	s.signal(syscall.SIGTSTP)
	until(t, "that it stops again", s.stopped)
	s.signal(syscall.SIGCONT)
	if err := s.in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if res := verify(t, dir); res.Records != 3 {
		t.Errorf("got %+v", res)
	}
}

// TestStoppedWhileWaiting: one that only waits for the lock stops at once, and
// takes it when it goes on, not before.
func TestStoppedWhileWaiting(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, audit.Options{}).Close()
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := startSlow(t, dir)
	until(t, "that it waits", func() bool {
		text, err := os.ReadFile("/proc/locks")
		return err == nil && strings.Contains(string(text), "-> FLOCK  ADVISORY  WRITE "+strconv.Itoa(s.cmd.Process.Pid)+" ")
	})
	s.signal(syscall.SIGTSTP)
	until(t, "that it stops", s.stopped)
	f.Close()
	if err := appendTo(t, dir, time.Minute, nil); err != nil {
		t.Errorf("while one that waited is stopped: %v", err)
	}
	s.signal(syscall.SIGCONT)
	s.says("syncing")
	s.goesOn()
	s.says("written")
}

// TestHeldByStopped: who waits for one that cannot finish is told who that is.
func TestHeldByStopped(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, audit.Options{}).Close()
	s := startSlow(t, dir)
	s.says("syncing")
	s.signal(syscall.SIGSTOP)
	until(t, "that it stops", s.stopped)
	told := make(chan audit.Holder, 9)
	done := make(chan error, 1)
	go func() { done <- appendTo(t, dir, time.Minute, func(h audit.Holder) { told <- h }) }()
	h := <-told
	if h.PID != s.cmd.Process.Pid || !h.Stopped || !strings.HasPrefix(filepath.Base(os.Args[0]), h.Program) {
		t.Errorf("told of %+v, want process %d, stopped", h, s.cmd.Process.Pid)
	}
	s.signal(syscall.SIGCONT)
	s.goesOn()
	s.says("written")
	if err := <-done; err != nil || len(told) > 0 {
		t.Errorf("%v; told %d times more", err, len(told))
	}
}
