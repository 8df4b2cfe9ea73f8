package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// Rights of files that it uses in its folder, and beneath /proc, where it looks
// whether a process lives.
const (
	reading = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	keeping = reading | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE
)

// confine takes from every thread of this process what it does not need.
//
// Security: a fault in what reads files that others may have written reaches the
// folder of these files and no other. It opens nothing else and starts nothing;
// it still can talk to the network. A kernel without Landlock has no sandbox
// either, but its lists can be looked at: there it goes on as it is.
func confine(folder string) error {
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); errno != 0 {
		return fmt.Errorf("set no_new_privs: %w", errno)
	}
	abi, err := landlock.ABI()
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || err == nil && abi < landlock.Required {
		return nil
	}
	if err != nil {
		return err
	}
	ruleset, err := landlock.Ruleset(abi)
	if err != nil {
		return err
	}
	for path, rights := range map[string]uint64{folder: keeping, "/proc": reading} {
		if err := allow(ruleset, path, rights&landlock.AllFS(abi)); err != nil {
			return fmt.Errorf("let %s be used: %w", path, err)
		}
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("enter a Landlock domain: %w", errno)
	}
	if err := unix.Close(ruleset); err != nil {
		return err
	}
	if f, err := os.Open("/"); err == nil {
		_ = f.Close() // nothing was written
		return errors.New("the Landlock domain does not hold")
	}
	return nil
}

func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for a folder
	return landlock.Allow(ruleset, fd, rights)
}
