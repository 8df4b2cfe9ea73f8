package companion

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Inherit takes over the line to whoever started this process. What a terminal or
// a service manager sends to a whole group of processes is not for this one: it
// is still needed by whoever started it, to end in order, and ends with the line.
func Inherit() (*net.UnixConn, error) {
	if kind, err := unix.GetsockoptInt(Descriptor, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || kind != unix.AF_UNIX {
		return nil, errors.New("it is started by ambit, and is of no use by itself")
	}
	signal.Ignore(unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGTERM)
	unix.CloseOnExec(Descriptor)
	f := os.NewFile(Descriptor, "line")
	defer f.Close() // the line is a copy of it
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("take over the line: %w", err)
	}
	return c.(*net.UnixConn), nil //nolint:forcetypeassert // its domain was looked at
}
