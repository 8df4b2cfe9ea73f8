package main

import (
	"fmt"
	"net"
	"os"
)

// notifySocket is where a service manager wants to hear how far this service is
// (sd_notify(3)). Nothing that the host starts is to speak for it.
func notifySocket() string {
	name := os.Getenv("NOTIFY_SOCKET")
	_ = os.Unsetenv("NOTIFY_SOCKET") //nolint:forbidigo // every keeper would have it; nothing else runs yet, and it fails for names with a NUL alone
	return name
}

// notify tells the service manager something; nobody where there is none.
func notify(socket, state string) error {
	if socket == "" {
		return nil
	}
	// A name that begins with @ is an abstract one, in Go too.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer c.Close() //nolint:errcheck // one message is sent, or is not
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}
