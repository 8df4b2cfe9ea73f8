package server

import (
	"net"
	"net/http"
)

// acceptsPacked are the headers by which a caller takes what is compressed, in each of the
// protocols that are served.
var acceptsPacked = []string{"Accept-Encoding", "Connect-Accept-Encoding", "Grpc-Accept-Encoding"}

// plainNearby has no answer compressed that does not leave this machine: that takes longer than
// what it spares. Many callers ask for it without having meant to, by their library.
func plainNearby(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if nearby(r) {
			for _, name := range acceptsPacked {
				r.Header.Del(name)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// nearby reports whether a request came from this machine: by a socket with a name, or to an
// address that only this machine reaches.
func nearby(r *http.Request) bool {
	switch at := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return at.IP.IsLoopback()
	}
	return false
}
