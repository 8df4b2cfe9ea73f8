package server_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/server"
)

// An answer is compressed for who asks for it from elsewhere, and for nobody on this machine.
func TestPlainNearby(t *testing.T) {
	t.Parallel()
	h := newServer(t).Handler()
	for _, from := range []struct {
		at   net.Addr
		want string
	}{
		{&net.UnixAddr{Net: "unix", Name: "host.sock"}, ""},
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443}, ""},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 443}, ""},
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, "gzip"},
		{nil, "gzip"},
	} {
		for _, protocol := range []struct{ kind, accepts, says string }{
			{jsonType, "Accept-Encoding", "Content-Encoding"},
			{"application/grpc+json", "Grpc-Accept-Encoding", "Grpc-Encoding"},
		} {
			ctx := context.WithValue(server.WithCaller(t.Context(), me), http.LocalAddrContextKey, from.at)
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/ambit.v1.HostService/GetVersion", strings.NewReader(requestOf(protocol.kind)))
			r.Header.Set("Content-Type", protocol.kind)
			r.Header.Set(protocol.accepts, "gzip")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			text, err := io.ReadAll(w.Result().Body)
			if err != nil || w.Code != http.StatusOK || len(text) == 0 {
				t.Fatalf("%s from %v: %d, %q, %v", protocol.kind, from.at, w.Code, text, err)
			}
			if got := w.Header().Get(protocol.says); got != from.want {
				t.Errorf("%s from %v was answered in %q, want %q", protocol.kind, from.at, got, from.want)
			}
		}
	}
}

// requestOf is an empty request in a protocol.
func requestOf(kind string) string {
	if kind == jsonType {
		return "{}"
	}
	return "\x00\x00\x00\x00\x02{}"
}
