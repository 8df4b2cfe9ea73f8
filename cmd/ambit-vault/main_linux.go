package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/vault"
	"ambit.dev/ambit/internal/vault/wire"
)

func main() { companion.Main("ambit-vault", wire.NewConn, run) }

// run serves the vault that the first message names.
//
// Security: nothing of it is read before this process has given up all else, and
// its memory is closed to others. A run only reads: what it is served by cannot
// change the vault.
func run(_ *net.UnixConn, conn *companion.Conn, h wire.Hello) error {
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
	if err := companion.Late(); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1) // it answers one question after the other; further threads would wake up for each
	return vault.In(h.Dir, time.Now).Serve(conn)
}
