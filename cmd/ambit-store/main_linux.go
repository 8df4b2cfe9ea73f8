// How many processors a control group leaves is not asked for, as in ambit.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/database"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", store.Program, err)
		os.Exit(1)
	}
}

func run() error {
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	if len(os.Args) != 2 {
		return errors.New("it takes one folder")
	}
	// A launcher that is stopped by a key must not leave it amid a change, for
	// which every other launcher waits.
	signal.Ignore(syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	if err := os.Chdir("/"); err != nil { //nolint:forbidigo // this process has one folder to work in, and must not keep another one busy
		return err
	}
	if err := confine(os.Args[1]); err != nil {
		return err
	}
	return database.Serve(context.Background(), line)
}

// confine takes from this process what it does not need.
//
// Security: a fault in what reads files that others may have spoiled reaches the
// folder of these files, and what /proc tells, by which it sees whether a process
// lives. It starts no program. A kernel without Landlock has no sandboxes either,
// but its grants and sessions can be looked at: there it goes on as it is.
func confine(folder string) error {
	err := companion.Confine(companion.Files{Write: []string{folder}, Read: []string{"/proc"}})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, landlock.ErrOldABI) {
		return nil
	}
	return err
}
