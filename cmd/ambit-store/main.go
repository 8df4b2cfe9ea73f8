// Command ambit-store keeps grants and the list of sessions in SQLite. It is
// started by ambit, with the folder of the files and a socket as descriptor 3,
// and is of no use by itself.
//
// It is a program of its own so that a run, which mostly needs no more of the
// store than a small copy of it, does not pay for SQLite at its start.
//
// How many processors a control group leaves is not asked for, as in ambit.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/database"
)

// control is the descriptor of the socket to the launcher.
const control = 3

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", store.Program, err)
		os.Exit(1)
	}
}

func run() error {
	file := os.NewFile(control, "line")
	conn, err := net.FileConn(file)
	line, ok := conn.(*net.UnixConn)
	if err != nil || !ok || len(os.Args) != 2 {
		return errors.New("it is started by ambit, and is of no use by itself")
	}
	if err := file.Close(); err != nil {
		return err
	}
	// What the terminal sends is not for it; it ends when the launcher is gone.
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP)
	if err := confine(os.Args[1]); err != nil {
		return err
	}
	return database.Serve(context.Background(), line)
}
