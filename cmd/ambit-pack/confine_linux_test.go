package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/pack/wire"
)

// What is taken from a process cannot be given back, so it is tried in a copy of
// the test binary: "confined" or "free", and the folder.
const childVariable = "AMBIT_PACK_TEST_CHILD"

func TestMain(m *testing.M) {
	how, dir, child := strings.Cut(os.Getenv(childVariable), ":")
	switch {
	case !child:
		os.Exit(m.Run())
	case how == "confined":
		if err := companion.Confine(files(unpackTask(dir))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for _, a := range attempts {
		fmt.Printf("%s: %v\n", a.name, a.try(dir))
	}
	os.Exit(0)
}

func unpackTask(dir string) wire.Task {
	return wire.Task{Unpack: &wire.Unpack{Source: filepath.Join(dir, "archive"), Into: filepath.Join(dir, "draft"), Spool: filepath.Join(dir, "draft")}}
}

// attempts are what somebody would try who has taken over the process that reads
// a hostile archive, and what comes of it confined. All of them work where it is not.
var attempts = []struct {
	name string
	want error
	try  func(dir string) error
}{
	{"read a key", unix.EACCES, func(dir string) error { return opened(dir+"/other/key", os.O_RDONLY) }},
	{"change a pack that is installed", unix.EACCES, func(dir string) error { return opened(dir+"/other/run", os.O_WRONLY) }},
	{"make a file beside the draft", unix.EACCES, func(dir string) error { return opened(dir+"/new", os.O_CREATE|os.O_WRONLY) }},
	{"make a folder beside the draft", unix.EACCES, func(dir string) error { return made(os.Mkdir(dir+"/folder", 0o700), dir+"/folder") }},
	{"follow a link out of the draft", unix.EACCES, func(dir string) error { return opened(dir+"/draft/link", os.O_RDONLY) }},
	{"change the archive", unix.EACCES, func(dir string) error { return opened(dir+"/archive", os.O_WRONLY) }},
	{"make a device in the draft", unix.EACCES, func(dir string) error {
		if os.Geteuid() != 0 {
			return unix.EACCES // which nobody else may anyway
		}
		return made(unix.Mknod(dir+"/draft/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))), dir+"/draft/null")
	}},
	{"run a program", unix.EACCES, func(string) error { return ran("/bin/true") }},
	{"read the archive", nil, func(dir string) error { return opened(dir+"/archive", os.O_RDONLY) }},
	{"make a file in the draft", nil, func(dir string) error { return opened(dir+"/draft/new", os.O_CREATE|os.O_WRONLY) }},
	{"make a folder in the draft", nil, func(dir string) error { return errno(os.Mkdir(fmt.Sprintf("%s/draft/%d", dir, os.Getpid()), 0o700)) }},
}

// made takes away again what was made.
func made(err error, path string) error {
	if err == nil {
		err = os.Remove(path)
	}
	return errno(err)
}

func opened(path string, flag int) error {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return errno(err)
	}
	return f.Close()
}

// ran starts a program, with no files that would have to be opened for it.
func ran(program string) error {
	pid, err := syscall.ForkExec(program, []string{program}, &syscall.ProcAttr{})
	if err != nil {
		return errno(err)
	}
	_, err = syscall.Wait4(pid, nil, 0, nil)
	return err
}

func errno(err error) error {
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return err
}

// TestConfine has the process try what it must not be able to, confined and not.
func TestConfine(t *testing.T) {
	if _, err := landlock.ABI(); err != nil {
		t.Skipf("requires: Landlock (%v)", err)
	}
	dir := t.TempDir()
	var err error
	for _, name := range []string{"draft", "other"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	for _, name := range []string{"archive", "other/key", "other/run"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	if err := errors.Join(err, os.Symlink("../other/key", filepath.Join(dir, "draft", "link"))); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"confined", "free"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+how+":"+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", how, err, out)
		}
		for _, a := range attempts {
			want := a.want
			if how == "free" && (os.Geteuid() == 0 || !strings.Contains(a.name, "device")) {
				want = nil
			}
			if line := fmt.Sprintf("%s: %v\n", a.name, want); !strings.Contains(string(out), line) {
				t.Errorf("%s: want %sgot\n%s", how, line, out)
			}
		}
	}
}
