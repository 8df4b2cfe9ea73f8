package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// notLaunched: with a state that cannot be written nothing is launched and
// nothing is granted, in words and with 125.
func notLaunched(t *testing.T, b *bench, state string) {
	t.Helper()
	b.env = append(b.env, "AMBIT_STATE_DIR="+state)
	canary := filepath.Join(b.dir, "launched")
	r := b.run("run", "--allow", "fs.write:"+b.dir, "--", "touch", canary)
	r.want(t, 125)
	if !strings.HasPrefix(r.err, "ambit: ") {
		t.Errorf("got %q", r.err)
	}
	if _, err := os.Lstat(canary); err == nil {
		t.Error("the program ran")
	}
	b.run("grants", "add", "fs.read:"+b.dir).want(t, 125)
}

// A state folder that its user may not write: for root the file system is
// read-only, for others the mode forbids it.
func TestReadOnlyState(t *testing.T) {
	b := newBench(t)
	state := filepath.Join(b.dir, "state")
	if os.Getuid() != 0 {
		if err := os.Mkdir(state, 0o500); err != nil {
			t.Fatal(err)
		}
		notLaunched(t, b, state)
		return
	}
	mountTmpfs(t, state, "size=1m,ro")
	notLaunched(t, b, state)
}

// A state folder that becomes read-only after a log was begun there.
func TestStateBecomesReadOnly(t *testing.T) {
	b := newBench(t)
	state := filepath.Join(b.dir, "state")
	b.env = append(b.env, "AMBIT_STATE_DIR="+state)
	if os.Getuid() == 0 {
		mountTmpfs(t, state, "size=8m")
	}
	b.run("run", "--", "true").want(t, 0)
	if os.Getuid() == 0 {
		if err := unix.Mount("", state, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
	} else {
		forbid(t, state)
	}
	notLaunched(t, b, state)
}

// forbid takes the right to write from everything beneath dir.
func forbid(t *testing.T, dir string) {
	t.Helper()
	var all []string
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		all = append(all, path)
		return err
	})
	for _, path := range all {
		if err == nil {
			err = os.Chmod(path, 0o500)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, path := range all {
			_ = os.Chmod(path, 0o700) // so that it can be removed
		}
	})
}

// A disk that is full. Root fills a small one; for others a bound on the size
// of files stops the log from growing, which is the nearest thing they have.
func TestFullDisk(t *testing.T) {
	b := newBench(t)
	state := filepath.Join(b.dir, "state")
	if os.Getuid() == 0 {
		mountTmpfs(t, state, "size=1m")
		full := append(b.env, "AMBIT_STATE_DIR="+state)
		b.env = full
		b.run("run", "--", "true").want(t, 0)
		fill(t, filepath.Join(state, "fill"))
		notLaunched(t, b, state)
		if err := os.Remove(filepath.Join(state, "fill")); err != nil {
			t.Fatal(err)
		}
		b.run("run", "--", "true").want(t, 0)
		b.run("doctor").want(t, 0, "verified")
		return
	}
	canary := filepath.Join(b.dir, "launched")
	b.run("run", "--", "true").want(t, 0)
	cmd := b.command("run", "--allow", "fs.write:"+b.dir, "--", "touch", canary)
	cmd.Path, cmd.Args = "/bin/bash", append([]string{"bash", "-c", `ulimit -f 1; exec "$0" "$@"`, binary}, cmd.Args[1:]...)
	r := b.finish(cmd)
	if _, err := os.Lstat(canary); err == nil || r.status == 0 {
		t.Errorf("the program ran: %+v", r)
	}
	b.run("run", "--", "true").want(t, 0)
}

// fill writes a file until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}

func mountTmpfs(t *testing.T, dir, options string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	flags := uintptr(0)
	options, readOnly := strings.CutSuffix(options, ",ro")
	if readOnly {
		flags = unix.MS_RDONLY
	}
	if err := unix.Mount("ambit-test", dir, "tmpfs", flags, options); err != nil {
		t.Fatal(fmt.Errorf("mount a tmpfs: %w", err))
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, syscall.MNT_DETACH) })
}

// A log that somebody else may not read or write: the key is somebody else's.
func TestForbiddenLog(t *testing.T) {
	b := newBench(t)
	state := filepath.Join(b.dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state, "audit"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	notLaunched(t, b, state)
}
