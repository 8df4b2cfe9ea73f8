package audit_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
)

// mountSmall mounts a file system of 256 KiB. That takes a user and a mount
// namespace of one's own, so it runs the test again in a process that has them,
// where here is true.
func mountSmall(t *testing.T) (dir string, here bool) {
	t.Helper()
	if os.Getenv("AUDIT_TEST_MOUNTS") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")
		cmd.Env = append(os.Environ(), "AUDIT_TEST_MOUNTS=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, os.ErrPermission) {
			t.Skipf("needs user namespaces: %v", err)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return "", false
	}
	dir = t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir, true
}

// TestDiskFull fills the disk, frees it, and goes on.
func TestDiskFull(t *testing.T) {
	mount, here := mountSmall(t)
	if !here {
		return
	}
	dir := filepath.Join(mount, "audit")
	l := open(t, dir, audit.Options{SegmentSize: 20000})
	var ids []string
	push := func() (err error) {
		for i := range 1000 {
			var got []audit.Record
			if got, err = l.Append(t.Context(), decision(t, len(ids)+i)); err != nil {
				return err
			}
			ids = append(ids, got[0].ID)
		}
		return nil
	}
	ballast := filepath.Join(mount, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, left := range []int64{50 << 10, 10 << 10} {
		if err := push(); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("got %v, want no space after %d records", err, len(ids))
		}
		checkUnique(t, dir, len(ids))
		if err := os.Truncate(ballast, left); err != nil {
			t.Fatal(err)
		}
		got, err := l.Append(t.Context(), decision(t, 1_000_000))
		if err != nil {
			t.Fatalf("with space again: %v", err)
		}
		ids = append(ids, got[0].ID)
		checkUnique(t, dir, len(ids))
	}
	if res := verify(t, dir); res.Uncommitted != 0 {
		t.Errorf("got %+v", res)
	}
}

// checkUnique verifies that the log has n records beside its first.
func checkUnique(t *testing.T, dir string, n int) {
	t.Helper()
	if res := verify(t, dir); int(res.Records) != n+1 {
		t.Errorf("got %d records, want %d", res.Records, n+1)
	}
}

// TestReadOnly has a file system that cannot be written: no append, but reading.
func TestReadOnly(t *testing.T) {
	mount, here := mountSmall(t)
	if !here {
		return
	}
	dir := filepath.Join(mount, "audit")
	fill(t, dir, audit.Options{}, 5, 1)
	if err := unix.Mount("none", mount, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(dir, audit.Options{})
	if err == nil {
		_, err = l.Append(t.Context(), decision(t, 1))
		l.Close()
	}
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("got %v", err)
	}
	if _, err := audit.Open(filepath.Join(mount, "other"), audit.Options{}); !errors.Is(err, syscall.EROFS) {
		t.Errorf("new log: got %v", err)
	}
	if res := verify(t, dir); res.Records != 6 {
		t.Errorf("got %+v", res)
	}
}

// TestNoPermission has a folder that its reader may not write.
func TestNoPermission(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its identity
		if os.Geteuid() == 0 {
			// setfsuid(2): of this thread alone, with the loss of CAP_DAC_OVERRIDE.
			_ = unix.Setfsuid(65534)
		}
		_, err := audit.Open(dir, audit.Options{})
		failed <- err
	}()
	if err := <-failed; !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// TestLocked has the lock held by somebody who does not let go: an append ends
// with its context, and others go on when the lock is free.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, audit.Options{})
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	patient := make(chan error, 8)
	for range cap(patient) {
		go func() {
			_, err := l.Append(context.Background(), decision(t, 1))
			patient <- err
		}()
	}
	for range 4 {
		if _, err := l.Append(ctx, decision(t, 2)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	}
	f.Close()
	for range cap(patient) {
		if err := <-patient; err != nil {
			t.Error(err)
		}
	}
	if res := verify(t, dir); res.Records != 9 {
		t.Errorf("got %d records", res.Records)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Append(gone, decision(t, 3)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	l.Close()
	if _, err := l.Append(t.Context(), decision(t, 3)); !errors.Is(err, audit.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestReplaced has the folder of an open log moved away and another put there.
func TestReplaced(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "audit")
	l := open(t, dir, audit.Options{})
	if _, err := l.Append(t.Context(), decision(t, 1)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, filepath.Join(base, "away")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), decision(t, 2)); err == nil {
		t.Error("appended to a folder that is gone")
	}
	fill(t, dir, audit.Options{}, 3, 1)
	if _, err := l.Append(t.Context(), decision(t, 2)); err == nil {
		t.Error("appended to a log of another key")
	}
	if res := verify(t, dir); res.Records != 4 {
		t.Errorf("got %+v", res)
	}
}
