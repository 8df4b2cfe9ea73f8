package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/vault"
	"ambit.dev/ambit/internal/vault/wire"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ambit-vault:", err)
		os.Exit(1)
	}
}

// run serves the vault that the first message names.
//
// Security: nothing of it is read before this process has given up all else, and
// its memory is closed to others. A run only reads: what it is served by cannot
// change the vault.
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
	files := companion.Files{Read: []string{h.Dir}}
	if h.Write {
		if err := os.MkdirAll(h.Dir, 0o700); err != nil {
			return fmt.Errorf("make the vault: %w", err)
		}
		files = companion.Files{Write: []string{h.Dir}}
	}
	if err := companion.Confine(files); err != nil {
		return err
	}
	return vault.In(h.Dir, time.Now).Serve(conn)
}
