package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/policy"
	"ambit.dev/ambit/internal/policy/wire"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ambit-policy:", err)
		os.Exit(1)
	}
}

// run answers until nobody asks any more.
//
// Security: who asks is read from the system's list of users, not heard from who
// asks; then this process keeps nothing but the folder of policies, to read.
func run() error {
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	defer line.Close() //nolint:errcheck // nobody is there any more
	conn, h := wire.NewConn(line), wire.Hello{}
	if err := conn.Receive(&h); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	asks, err := policy.Myself()
	if err != nil {
		return err
	}
	folder := policy.Folder{Path: wire.Dir, Managed: true}
	if h.Draft != "" {
		folder = policy.Folder{Path: h.Draft}
	}
	if err := companion.Confine(companion.Files{Read: []string{folder.Path}}); err != nil {
		return err
	}
	return policy.Serve(conn, folder, asks)
}
