package request_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress/request"
)

// TestResumed: TLS goes on with a server that has shown its certificate, from one
// connection of the program to the next; not with another port of that name, and
// not with whoever else answers at its address.
func TestResumed(t *testing.T) {
	var resumed atomic.Bool
	w := start(t, true, func(rw http.ResponseWriter, r *http.Request) {
		resumed.Store(r.TLS.DidResume)
		_, _ = io.WriteString(rw, "ok")
	}, nil)
	get := func() (status int, text string) {
		t.Helper()
		resp, err := w.client(false).Get(w.url())
		return resp.StatusCode, body(t, resp, err)
	}
	for i, want := range []bool{false, true, true} {
		if _, text := get(); text != "ok" || resumed.Load() != want {
			t.Errorf("connection %d: %q, resumed %v", i, text, resumed.Load())
		}
	}
	w.to = request.Destination{Host: "far.test", Port: 8443}
	if _, text := get(); text != "ok" || resumed.Load() {
		t.Errorf("another port: %q, resumed %v", text, resumed.Load())
	}
	w.to = request.Destination{}
	if _, text := get(); text != "ok" || !resumed.Load() {
		t.Errorf("the first port again: %q, resumed %v", text, resumed.Load())
	}
	impostor, err := newAuthority(t).Leaf("far.test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*impostor}})
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the impostor was asked") })}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	w.server = l.Addr().(*net.TCPAddr).String()
	if status, text := get(); status != http.StatusBadGateway || !strings.Contains(text, request.Certificate) {
		t.Errorf("the impostor: %d %q", status, text)
	}
	_ = s.Close()
	<-done
}
