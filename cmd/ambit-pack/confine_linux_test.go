package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/companion/companiontest"
	"ambit.dev/ambit/internal/pack/wire"
)

func TestMain(m *testing.M) {
	companiontest.Main(m, func(dir string) error { return companion.Confine(files(unpackTask(dir))) }, attempts)
}

func unpackTask(dir string) wire.Task {
	return wire.Task{Unpack: &wire.Unpack{Source: filepath.Join(dir, "archive"), Into: filepath.Join(dir, "draft"), Spool: filepath.Join(dir, "draft")}}
}

// attempts are what somebody would try who has taken over the process that reads
// a hostile archive, and what comes of it confined. All of them work where it is not.
var attempts = []companiontest.Attempt{
	{Name: "read a key", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/other/key", os.O_RDONLY) }},
	{Name: "change a pack that is installed", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/other/run", os.O_WRONLY) }},
	{Name: "make a file beside the draft", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/new", os.O_CREATE|os.O_WRONLY) }},
	{Name: "make a folder beside the draft", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Made(os.Mkdir(dir+"/folder", 0o700), dir+"/folder") }},
	{Name: "follow a link out of the draft", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/draft/link", os.O_RDONLY) }},
	{Name: "change the archive", Confined: unix.EACCES, Try: func(dir string) error { return companiontest.Open(dir+"/archive", os.O_WRONLY) }},
	{Name: "make a device in the draft", Confined: unix.EACCES, Free: device(), Try: func(dir string) error {
		if err := device(); err != nil {
			return err
		}
		return companiontest.Made(unix.Mknod(dir+"/draft/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))), dir+"/draft/null")
	}},
	{Name: "run a program", Confined: unix.EACCES, Try: func(string) error { return companiontest.Start("/bin/true") }},
	{Name: "read the archive", Try: func(dir string) error { return companiontest.Open(dir+"/archive", os.O_RDONLY) }},
	{Name: "make a file in the draft", Try: func(dir string) error { return companiontest.Open(dir+"/draft/new", os.O_CREATE|os.O_WRONLY) }},
	{Name: "make a folder in the draft", Try: func(dir string) error {
		return companiontest.Errno(os.Mkdir(fmt.Sprintf("%s/draft/%d", dir, os.Getpid()), 0o700))
	}},
}

// device is what comes of making one where nothing was taken.
func device() error {
	if os.Geteuid() != 0 {
		return unix.EACCES // which nobody else may anyway
	}
	return nil
}

// TestConfine has the process try what it must not be able to, confined and not.
func TestConfine(t *testing.T) {
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
	companiontest.Run(t, dir, attempts)
}
