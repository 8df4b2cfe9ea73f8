package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion/companiontest"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == store.Program {
		main()
		os.Exit(0)
	}
	companiontest.Main(m, func(dir string) error { return confine(filepath.Join(dir, "state")) }, attempts)
}

// attempts are what the process tries, and what comes of it confined. All of
// them work where it is not.
var attempts = []companiontest.Attempt{
	{Name: "read a file beside the folder", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/other/key", os.O_RDONLY) }},
	{Name: "write a file beside the folder", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/other/key", os.O_WRONLY) }},
	{Name: "make a file beside the folder", Confined: unix.EACCES, Try: func(dir string) error {
		return companiontest.Made(companiontest.Open(dir+"/other/new", os.O_CREATE|os.O_WRONLY), dir+"/other/new")
	}},
	{Name: "follow a link out of the folder", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/state/link", os.O_RDONLY) }},
	{Name: "list a home", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/other", os.O_RDONLY) }},
	{Name: "run a program", Confined: unix.EACCES, Try: func(string) error { return companiontest.Start("/bin/true") }},
	{Name: "write what makes a core", Confined: unix.EACCES, Try: func(string) error { return companiontest.Open("/proc/self/coredump_filter", os.O_WRONLY) }},
	{Name: "be dumpable", Confined: unix.EPERM, Try: func(string) error {
		if v, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || v != 1 {
			return errors.Join(err, unix.EPERM)
		}
		return nil
	}},
	{Name: "look whether a process lives", Try: func(string) error { return companiontest.Open("/proc/1/stat", os.O_RDONLY) }},
}

// TestConfine has the process try what it must not be able to, confined and not.
func TestConfine(t *testing.T) {
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
	companiontest.Run(t, dir, attempts)
}

// TestKeeps: confined as it is, it does what it is for: it makes both files,
// changes them, and leaves a copy of what stands.
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
