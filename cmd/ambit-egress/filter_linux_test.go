package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const childVariable = "AMBIT_EGRESS_TEST_CHILD"

// A filter cannot be taken off, so it is tried in a copy of the test binary.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	if err := confine(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, a := range attempts {
		// On a thread of its own, as the runtime makes them at any time.
		done := make(chan error)
		go func() {
			runtime.LockOSThread()
			done <- a.try()
		}()
		fmt.Printf("%s: %v\n", a.name, <-done)
	}
	os.Exit(0)
}

// attempts are what the process tries once it is confined, and what comes of it.
var attempts = []struct {
	name string
	want string // of the error; "<nil>" for what works
	try  func() error
}{
	{"run a program", "operation not permitted", func() error { return unix.Exec("/bin/true", []string{"true"}, nil) }},
	{"connect to a unix socket", "operation not permitted", func() error { return socket(unix.AF_UNIX, unix.SOCK_STREAM) }},
	{"make a packet socket", "operation not permitted", func() error { return socket(unix.AF_PACKET, unix.SOCK_RAW) }},
	{"map memory as code", "operation not permitted", func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	}},
	{"make memory code", "operation not permitted", func() error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return fmt.Errorf("map: %w", err)
		}
		return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
	}},
	{"make a file", "operation not permitted", func() error { return opened("/tmp/ambit-egress-test", os.O_CREATE|os.O_WRONLY) }},
	{"read a file", "permission denied", func() error { return opened("/etc/passwd", os.O_RDONLY) }},
	{"read the resolver's file", "<nil>", func() error { return opened("/etc/resolv.conf", os.O_RDONLY) }},
	{"signal another process", "operation not permitted", func() error { return unix.Kill(os.Getppid(), 0) }},
	{"look into another process", "operation not permitted", func() error { return unix.PtraceAttach(os.Getppid()) }},
	{"unshare", "operation not permitted", func() error { return unix.Unshare(unix.CLONE_NEWUSER) }},
	{"io_uring", "operation not permitted", func() error {
		_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
		return errno
	}},
	{"be traced again", "operation not permitted", func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }},
	{"list interfaces", "<nil>", func() error {
		all, err := net.Interfaces()
		if err == nil && len(all) == 0 {
			err = errors.New("none")
		}
		return err
	}},
	{"serve", "<nil>", serveItself},
	{"collect", "<nil>", func() error { // which makes threads, timers and memory
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				_ = make([]byte, 1<<20)
				time.Sleep(time.Millisecond)
				runtime.GC()
			})
		}
		all.Wait()
		return nil
	}},
}

func socket(family, kind int) error {
	fd, err := unix.Socket(family, kind, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

func opened(path string, flags int) error {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return errors.Unwrap(err)
	}
	return f.Close()
}

// serveItself listens, connects and exchanges a byte.
func serveItself() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Write([]byte{1})
			_ = c.Close()
		}
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	return err
}

// requirePlain skips where C code may have made threads that the runtime does not
// know, and which it therefore cannot confine. The product is built without.
func requirePlain(t *testing.T) {
	t.Helper()
	built, _ := debug.ReadBuildInfo()
	for _, s := range built.Settings {
		if s.Key == "CGO_ENABLED" && s.Value == "1" {
			t.Skip("requires: a test program built without cgo")
		}
	}
}

func TestConfined(t *testing.T) {
	requirePlain(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(attempts) {
		t.Fatalf("output %q", out)
	}
	for i, a := range attempts {
		if want := a.name + ": " + a.want; lines[i] != want {
			t.Errorf("got %q, want %q", lines[i], want)
		}
	}
}

// TestWithoutFilter is the control: outside, what is refused inside works, or
// fails for another reason.
func TestWithoutFilter(t *testing.T) {
	for _, a := range attempts {
		switch a.name {
		case "make a packet socket", "look into another process", "unshare", "make a file", "be traced again", "run a program", "io_uring":
			continue // by privilege, or with an effect that lasts
		}
		if err := a.try(); err != nil && a.want != "<nil>" && a.want == err.Error() {
			t.Errorf("%s: %v without the filter too", a.name, err)
		}
	}
}
