package request

import (
	"context"
	"io"
	"net/http"
)

// A Destination is where a request goes: decided, resolved, and with its
// certificate verified where it is TLS.
type Destination struct {
	Scheme   string // "https" or "http"
	Host     string // a name, or an address without brackets
	Port     uint16
	Loopback bool // the address that was dialled is the host's own
}

// A Filler puts secrets into requests. It sees every request that is about to be
// sent, those to destinations without any secret too: a placeholder there is
// misuse. It is safe for concurrent use.
type Filler interface {
	// Bound says whether a secret is bound to host:port, so that its flows are
	// opened. It answers quickly.
	Bound(host string, port uint16) bool
	// Fill puts values where placeholders stand. It runs after the request was
	// allowed, on the one that is about to be sent, which it may change. What it
	// returns is applied to the response; nil: there is nothing to do. An error
	// refuses the request; one that is a *Refused says with which reason.
	Fill(ctx context.Context, d Destination, r *http.Request) (Scrubber, error)
}

// A Scrubber takes what must not be seen inside out of one response. It sees the
// response's header, then its body, and its trailers, by Header, once that has
// ended.
type Scrubber interface {
	Header(h http.Header)
	Body(b io.ReadCloser) io.ReadCloser
}

// Refused is why a Filler does not let a request go.
type Refused struct {
	Reason string // of the closed list of a flow's ends, such as "placeholder-misuse"
	Words  string // for people; it holds nothing of a secret
}

func (r *Refused) Error() string { return r.Reason + ": " + r.Words }
