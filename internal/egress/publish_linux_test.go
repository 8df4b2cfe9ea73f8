package egress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// servers are those that serve has started.
var servers sync.Map

// serve has a program of the sandbox echo what is sent to an address of its own.
func serve(ctx context.Context, args []string) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return "", err
	}
	servers.Store(args[0], l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, _ := io.ReadAll(c)
				_, _ = c.Write(append([]byte("inside "), b...))
			}()
		}
	}()
	return "", nil
}

// freePort is a port of the host that nobody has, and that the kernel gives to
// nobody who does not ask for it.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for {
		port := uint16(10_000 + rand.IntN(20_000))
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		return port
	}
}

// call sends a text from the host and returns the answer.
func call(to, text string) (string, error) {
	c, err := net.Dial("tcp", to)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	return string(b), err
}

// TestPublish reaches servers of the sandbox from the host, by the ports that were
// granted and no others.
func TestPublish(t *testing.T) {
	one, two, three := freePort(t), freePort(t), freePort(t)
	grants := []string{fmt.Sprintf("net.listen:8000/%d", one), fmt.Sprintf("net.listen:80/%d", two), fmt.Sprintf("net.listen:%d", three), "net.listen:81"}
	w := start(t, linktest.Options{}, grants, nil)
	for _, at := range []string{"127.0.0.1:8000", "[::1]:80", fmt.Sprintf("0.0.0.0:%d", three)} {
		if _, err := w.Do("serve", at); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ port, host uint16 }{{8000, one}, {80, two}, {three, 0}} {
		u, err := w.plane.Publish(tc.port, tc.host)
		if err != nil {
			t.Fatal(err)
		}
		if a := u.Addr(); !a.Addr().IsLoopback() {
			t.Errorf("published at %s", a)
		}
		for range 3 {
			if got, err := call(u.Addr().String(), "hello"); err != nil || got != "inside hello" {
				t.Errorf("%d: %q, %v", tc.port, got, err)
			}
		}
	}
	if f := w.tape.ended(t, 9)[0]; !f.Inbound || f.End != egress.Done || f.In != 5 || f.Out != 12 || f.Capability.IsZero() {
		t.Errorf("%+v", f)
	}
	for want, tc := range map[string]struct{ port, host uint16 }{
		"nobody has allowed":               {9000, freePort(t)},
		"address already in use":           {8000, one},
		"expected a port of the host":      {81, 0},
		"expected a port of the host from": {8000, 22},
	} {
		if u, err := w.plane.Publish(tc.port, tc.host); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, %v; want %q", tc, u, err, want)
		}
	}
}

// TestPublishNothing: a connection to a port that nobody inside listens on ends at
// once.
func TestPublishNothing(t *testing.T) {
	at := freePort(t)
	w := start(t, linktest.Options{}, []string{fmt.Sprintf("net.listen:8000/%d", at)}, nil)
	u, err := w.plane.Publish(8000, at)
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if got, err := call(u.Addr().String(), "hello"); err == nil || time.Since(begun) > quick {
		t.Errorf("%q after %v", got, time.Since(begun))
	}
	if f := w.tape.ended(t, 1)[0]; f.End != egress.DialFailed {
		t.Errorf("%+v", f)
	}
}

// TestUnpublish: a port whose grant is withdrawn is no longer there, and its
// connections end.
func TestUnpublish(t *testing.T) {
	at, other := freePort(t), freePort(t)
	a, b := fmt.Sprintf("net.listen:8000/%d", at), fmt.Sprintf("net.listen:8001/%d", other)
	w := start(t, linktest.Options{}, []string{a, b}, nil)
	for _, l := range []string{"127.0.0.1:8000", "127.0.0.1:8001"} {
		if _, err := w.Do("serve", l); err != nil {
			t.Fatal(err)
		}
	}
	for port, host := range map[uint16]uint16{8000: at, 8001: other} {
		if _, err := w.plane.Publish(port, host); err != nil {
			t.Fatal(err)
		}
	}
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", at))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for len(w.plane.Flows()) == 0 || w.plane.Flows()[0].Connected.IsZero() {
		time.Sleep(5 * time.Millisecond)
	}
	w.gate.grant(b)
	w.plane.Recheck()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection: %v", err)
	}
	if got, err := call(fmt.Sprintf("127.0.0.1:%d", at), "x"); err == nil {
		t.Errorf("the port is still there: %q", got)
	}
	if got, err := call(fmt.Sprintf("127.0.0.1:%d", other), "x"); err != nil || got != "inside x" {
		t.Errorf("the other one: %q, %v", got, err)
	}
	ends := map[string]egress.End{} // in whatever order they came
	for _, f := range w.tape.ended(t, 2) {
		ends[f.Capability.String()] = f.End
	}
	if ends[a] != egress.Withdrawn || ends[b] != egress.Done {
		t.Errorf("they ended by %v", ends)
	}
}
