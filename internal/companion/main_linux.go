package companion

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
)

// Main is the main function of a companion whose first message says what it is for:
// it takes the line over, hears that message, and has serve do the rest. An error is
// told, and ends the process with status 1. Where whoever started it is gone before it
// has said anything, there is nothing to do.
func Main[First any](name string, carry func(io.ReadWriter) *Conn, serve func(line *net.UnixConn, conn *Conn, first First) error) {
	if err := run(carry, serve); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

func run[First any](carry func(io.ReadWriter) *Conn, serve func(*net.UnixConn, *Conn, First) error) error {
	line, err := Inherit()
	if err != nil {
		return err
	}
	defer line.Close() //nolint:errcheck // nobody is there any more
	conn := carry(line)
	var first First
	if err := conn.Receive(&first); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	return serve(line, conn, first)
}
