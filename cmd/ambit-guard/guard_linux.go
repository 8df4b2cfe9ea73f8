package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// become executes the program in the place of this one.
func become(argv []string, frozen bool) error {
	runtime.LockOSThread() // the filter is this thread's, and execve keeps that one
	// A byte that is written shall cost a page and not two megabytes: QEMU asks for
	// large ones for code that it translates, of which a clone has little.
	if err := unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("keep to small pages: %w", err)
	}
	if frozen {
		if err := freeze(); err != nil {
			return err
		}
	}
	if err := unix.Exec(argv[0], argv, os.Environ()); err != nil {
		return fmt.Errorf("execute %q: %w", argv[0], err)
	}
	return nil
}

// freeze takes from this thread, and from what it executes, every way to change
// what is in a file by a descriptor of it.
//
// Security: no byte can be written to a file of a file system (RLIMIT_FSIZE;
// sockets and pipes are none), no file can be mapped so that others see what is
// written there, cut short, punched or exchanged (the filter). Both are kept over
// execve and cannot be undone. Opening, reading and private copies stay as they
// were.
func freeze() error {
	none := unix.Rlimit{}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &none); err != nil {
		return fmt.Errorf("bound the size of files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	p := program()
	if err := install(&unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}); err != nil {
		return fmt.Errorf("install the system call filter: %w", err)
	}
	if err := unix.Ftruncate(0, 0); err != unix.EPERM {
		return fmt.Errorf("the system call filter does not hold: %w", err)
	}
	return nil
}
