package main

import (
	"context"
	"io"
	"net"
	"os"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/pack/wire"
)

func main() { companion.Main("ambit-pack", wire.NewConn, run) }

// run does one task and says what came of it.
func run(line *net.UnixConn, conn *companion.Conn, t wire.Task) error {
	go func() { // whoever wanted it is gone: what was begun is of no use
		_, _ = io.Copy(io.Discard, line)
		os.Exit(1)
	}()
	d, err := do(context.Background(), t)
	if err != nil {
		d.Fault = err.Error()
	}
	return conn.Send(d)
}
