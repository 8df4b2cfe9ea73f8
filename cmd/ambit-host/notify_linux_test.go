package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The service manager hears what it is told, by a name and by an abstract one, and what
// the host starts does not inherit its socket.
func TestNotify(t *testing.T) {
	dir, err := os.MkdirTemp("", "n") //nolint:usetesting // a socket's name has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{filepath.Join(dir, "s"), "@" + dir} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		t.Setenv("NOTIFY_SOCKET", name)
		socket := notifySocket()
		if _, there := os.LookupEnv("NOTIFY_SOCKET"); there || socket != name {
			t.Errorf("socket %q, want %q; still in the environment: %v", socket, name, there)
		}
		if err := notify(socket, "READY=1"); err != nil {
			t.Fatal(err)
		}
		if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 64)
		n, err := l.Read(b)
		if err != nil || string(b[:n]) != "READY=1" {
			t.Errorf("heard %q: %v", b[:n], err)
		}
	}
	if err := notify("", "READY=1"); err != nil {
		t.Errorf("without a service manager: %v", err)
	}
	if err := notify(filepath.Join(dir, "none"), "READY=1"); err == nil {
		t.Error("a service manager that is not there heard it")
	}
}
