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

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/store"
)

// What is taken from a process cannot be given back, so it is tried in a copy of
// the test binary: "confined" or "free", and the folder.
const childVariable = "AMBIT_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	how, dir, child := strings.Cut(os.Getenv(childVariable), ":")
	switch {
	case filepath.Base(os.Args[0]) == store.Program:
		main()
		os.Exit(0)
	case !child:
		os.Exit(m.Run())
	case how == "confined":
		if err := confine(filepath.Join(dir, "state")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for _, a := range attempts {
		fmt.Printf("%s: %v\n", a.name, a.try(dir))
	}
	os.Exit(0)
}

// attempts are what the process tries, and what comes of it confined. All of
// them work where it is not.
var attempts = []struct {
	name string
	want error
	try  func(dir string) error
}{
	{"read a file beside the folder", unix.EACCES, func(dir string) error { return opened(dir+"/other/key", os.O_RDONLY) }},
	{"write a file beside the folder", unix.EACCES, func(dir string) error { return opened(dir+"/other/key", os.O_WRONLY) }},
	{"make a file beside the folder", unix.EACCES, func(dir string) error { return opened(dir+"/other/new", os.O_CREATE|os.O_WRONLY) }},
	{"follow a link out of the folder", unix.EACCES, func(dir string) error { return opened(dir+"/state/link", os.O_RDONLY) }},
	{"list a home", unix.EACCES, func(dir string) error { return opened(dir+"/other", os.O_RDONLY) }},
	{"run a program", unix.EACCES, func(string) error { return ran("/bin/true") }},
	{"write what makes a core", unix.EACCES, func(string) error { return opened("/proc/self/coredump_filter", os.O_WRONLY) }},
	{"be dumpable", unix.EPERM, func(string) error {
		if v, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || v != 1 {
			return errors.Join(err, unix.EPERM)
		}
		return nil
	}},
	{"look whether a process lives", nil, func(string) error { return opened("/proc/1/stat", os.O_RDONLY) }},
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
	for _, name := range []string{"state", "other"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.WriteFile(filepath.Join(dir, "other", "key"), nil, 0o600), os.Symlink("../other/key", filepath.Join(dir, "state", "link")))
	if err != nil {
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
			if how == "free" {
				want = nil
			}
			if line := fmt.Sprintf("%s: %v\n", a.name, want); !strings.Contains(string(out), line) {
				t.Errorf("%s: want %sgot\n%s", how, line, out)
			}
		}
		_ = os.Remove(filepath.Join(dir, "other", "new")) // it is there where nothing was taken
	}
}

// TestKeeps: confined as it is, it does what it is for: it makes both files,
// changes them, and
// leaves a copy of what stands.
func TestKeeps(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, dir := filepath.Join(t.TempDir(), store.Program), t.TempDir()
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	db := &store.Database{Path: program}
	of, err := capability.Parse("fs.read:/home/u")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "ambit.db")
	for i := range 3 {
		s, err := db.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if all, err := s.Grants(t.Context(), "user:u", ""); err != nil || len(all) != i {
			t.Fatalf("got %v, %v", all, err)
		}
		g := grant.Grant{ID: fmt.Sprint("g-", i), Principal: "user:u", Capability: of, Outcome: grant.Allow}
		if i < 2 {
			err = s.AddGrant(t.Context(), g)
		}
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if all, ok := store.Standing(path, store.Fingerprint(path), "user:u", ""); !ok || len(all) != 2 {
		t.Errorf("it left %v, %v", all, ok)
	}
	list := filepath.Join(dir, "sessions.db")
	if _, err := store.Note(list, store.Session{ID: "s-1", PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	l, err := db.OpenList(list)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if all, err := l.Sessions(t.Context()); err != nil || len(all) != 1 || all[0].Status != store.Running {
		t.Errorf("got %+v, %v", all, err)
	}
}
