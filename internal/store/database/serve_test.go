package database_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/database"
	"ambit.dev/ambit/internal/store/wire"
)

// pair returns the two ends of a socket.
func pair(t *testing.T) (ours *net.UnixConn, theirs *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fds[0]), "ours")
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	ours, theirs = conn.(*net.UnixConn), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { _ = errors.Join(ours.Close(), theirs.Close()) })
	return ours, theirs
}

// serve has a launcher answered, and returns its socket.
func serve(t *testing.T) (control *net.UnixConn, ended chan error) {
	t.Helper()
	control, theirs := pair(t)
	conn, err := net.FileConn(theirs)
	if err := errors.Join(err, theirs.Close()); err != nil {
		t.Fatal(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- database.Serve(context.WithoutCancel(t.Context()), conn.(*net.UnixConn)) }()
	return control, ended
}

// line sends a socket for a file.
func line(t *testing.T, control *net.UnixConn) *wire.Conn {
	t.Helper()
	ours, theirs := pair(t)
	if _, _, err := control.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(theirs.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(theirs.Close(), ours.SetDeadline(time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	return wire.NewConn(ours)
}

// ask puts a request and returns how many rows came, and the error.
func ask(t *testing.T, c *wire.Conn, kind byte, fields ...any) (rows int, fault string) {
	t.Helper()
	if err := c.Send(kind, fields...); err != nil {
		t.Fatal(err)
	}
	for {
		said, fields, err := c.Receive()
		if err != nil {
			t.Fatal(err)
		}
		switch said {
		case store.SayRow:
			rows++
		case store.SayDone:
			return rows, ""
		default:
			var cause int
			if err := wire.Read(fields, &cause, &fault); err != nil {
				t.Fatal(err)
			}
			return rows, fault
		}
	}
}

func open(t *testing.T, c *wire.Conn, file int, path string) string {
	t.Helper()
	version, create := store.Version, true
	_, fault := ask(t, c, store.AskOpen, &version, &file, &path, &create)
	return fault
}

// TestRefuse: what is not one of the requests, at its time, is refused, and the
// line goes on.
func TestRefuse(t *testing.T) {
	control, ended := serve(t)
	c := line(t, control)
	path := filepath.Join(t.TempDir(), "ambit.db")
	refused := func(name, want string, kind byte, fields ...any) {
		t.Helper()
		if rows, fault := ask(t, c, kind, fields...); rows > 0 || !strings.Contains(fault, want) || fault == "" {
			t.Errorf("%s: got %d rows, %q, want %q", name, rows, fault, want)
		}
	}
	x, version, newer, file, unknown, create := "x", store.Version, store.Version+1, store.FileGrants, 3, true
	refused("before a file is open", "no file is open", store.AskAll)
	refused("another build", "same build", store.AskOpen, &newer, &file, &path, &create)
	refused("half of it", "same build", store.AskOpen, &version)
	refused("an unknown file", "unknown kind", store.AskOpen, &version, &unknown, &path, &create)
	no := false
	refused("a file that is not there", "no such file", store.AskOpen, &version, &file, &path, &no)
	if fault := open(t, c, store.FileGrants, path); fault != "" {
		t.Fatal(fault)
	}
	refused("a second file", "open already", store.AskOpen, &version, &file, &x, &create)
	refused("unknown", "unknown request", 99)
	refused("of the list", "unknown request", store.AskList)
	refused("too few fields", "cut off", store.AskGrants, &x)
	refused("too many fields", "left over", store.AskGrants, &x, &x, &x)
	refused("no grant", "needs", store.AskAdd, store.GrantFields(&grant.Grant{})...)
	refused("none with this id", store.ErrNotFound.Error(), store.AskRevoke, &x, &time.Time{})

	other := line(t, control)
	if fault := open(t, other, store.FileGrants, path); !strings.Contains(fault, "open already") {
		t.Errorf("open twice: got %q", fault)
	}
	if fault := open(t, other, store.FileList, path); !strings.Contains(fault, "open already") {
		t.Errorf("open twice, as a list: got %q", fault)
	}
	// What is no message ends its line and no other.
	if _, err := other.Write([]byte(strings.Repeat("\xff", 100))); err != nil {
		t.Fatal(err)
	}
	if kind, fields, err := other.Receive(); err == nil && kind != store.SayDone {
		t.Errorf("got %d %q", kind, fields)
	}
	if _, _, err := other.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("the line goes on: %v", err)
	}
	of, err := capability.Parse("fs.read:/a")
	if err != nil {
		t.Fatal(err)
	}
	g := grant.Grant{ID: "g-1", Principal: x, Pack: x, Capability: of, Outcome: grant.Allow, Lifespan: grant.Lifespan{Span: grant.Always}}
	if _, fault := ask(t, c, store.AskAdd, store.GrantFields(&g)...); fault != "" {
		t.Error(fault)
	}
	if rows, fault := ask(t, c, store.AskGrants, &x, &x); rows != 1 || fault != "" {
		t.Errorf("got %d rows, %q", rows, fault)
	}
	// When the launcher is gone, so is this, whatever is open.
	if err := control.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestNoSocket: what is sent for a file and is no socket ends it all.
func TestNoSocket(t *testing.T) {
	for name, rights := range map[string][]byte{"nothing": nil, "a file": syscall.UnixRights(2), "two": syscall.UnixRights(2, 2)} {
		control, ended := serve(t)
		if _, _, err := control.WriteMsgUnix([]byte{0}, rights, nil); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestOpenAgain: who gives a request up closes its line, and opens the file by
// another at once.
func TestOpenAgain(t *testing.T) {
	control, _ := serve(t)
	path := filepath.Join(t.TempDir(), "ambit.db")
	for n := range 30 {
		c := line(t, control)
		if fault := open(t, c, store.FileGrants, path); fault != "" {
			t.Fatalf("after %d lines: %s", n, fault)
		}
		if err := errors.Join(c.Send(store.AskAll), c.Close()); err != nil { // the answer is not waited for
			t.Fatal(err)
		}
	}
}
