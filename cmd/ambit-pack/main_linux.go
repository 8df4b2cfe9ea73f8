package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/pack/wire"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ambit-pack:", err)
		os.Exit(1)
	}
}

// run does one task and says what came of it.
func run() error {
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	defer line.Close() //nolint:errcheck // nobody is there any more
	conn := wire.NewConn(line)
	var t wire.Task
	if err := conn.Receive(&t); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
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
