// Package port serves the API of a host on the network, and the console: TLS, who
// asks, and what a browser may be made to do.
//
// It serves the routes of internal/server and decides nothing about them: it finds out
// who the caller is, and the table of routes says what that role may. Invariants:
//
//   - Nobody is served without a token or a login, also not on loopback; what anybody
//     gets is the console's files, and whether the host is well (TestEveryRouteByRole).
//   - A token or a login that ended serves no request from the next one on, and no
//     stream for longer than a second (TestRevokedStream in test/serve).
//   - A request that a browser sends with its cookie is served only if a page of this
//     very origin made it (TestForgedRequests).
//   - A name that somebody else gives to this address is not served (TestRebinding).
//   - A login by a provider is that of the browser that began it, once, and no longer
//     than the provider's word (TestAttackLogin, TestProviderEnds).
//   - Whoever is not known can make it keep nothing, and wait for nothing, without a
//     bound.
//
// Layer: a front door, beside the unix socket of cmd/ambit-host.
package port

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"ambit.dev/ambit/internal/provider"
	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/token"
)

// Config is what a Port is made of.
type Config struct {
	API       http.Handler // the routes, which ask server.WithCaller's caller
	Ready     func(context.Context) bool
	Console   http.Handler // the files of the console; nil: there are none
	Principal string       // whose host this is, and as whom everybody acts
	Version   string
	Tokens    *token.Known
	Provider  *provider.Provider // of logins; nil: there is none
	Address   string             // that it listens on, HOST:PORT
	Hosts     []string           // further names that it may be called by, with or without a port
	Strict    bool               // its certificate is one that browsers trust
	Now       func() time.Time
	Log       *slog.Logger
}

// A Port answers requests. It is safe for concurrent use.
type Port struct {
	cfg     Config
	names   names
	logins  *logins
	tries   *tries
	limits  *limits
	health  health
	private http.Handler
}

// New makes a port.
func New(cfg Config) (*Port, error) {
	hosts, home := cfg.Hosts, ""
	if cfg.Provider != nil {
		back := cfg.Provider.Redirect()
		home = spell(back.Hostname(), cmp.Or(back.Port(), "443"))
		hosts = append(slices.Clone(hosts), net.JoinHostPort(back.Hostname(), cmp.Or(back.Port(), "443")))
	}
	n, err := newNames(cfg.Address, hosts)
	if err != nil {
		return nil, err
	}
	p := &Port{cfg: cfg, names: n, logins: newLogins(cfg.Now), tries: newTries(cfg.Now, home), limits: newLimits(cfg.Now)}
	p.private = p.known(http.HandlerFunc(p.serveKnown))
	return p, nil
}

// Bounds of connections.
const (
	MaxConnections = 512
	maxHeader      = 32 << 10
	maxAtOnce      = 64 // requests of one connection, by HTTP/2
	headerWithin   = 10 * time.Second
	idleWithin     = 2 * time.Minute
)

// Server is what serves the port, by the contexts that come from base.
func (p *Port) Server(base context.Context) *http.Server {
	return &http.Server{Handler: p.Handler(), ReadHeaderTimeout: headerWithin, ReadTimeout: bodyWithin, WriteTimeout: answerWithin, IdleTimeout: idleWithin,
		MaxHeaderBytes: maxHeader, HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxAtOnce},
		ErrorLog: slog.NewLogLogger(p.cfg.Log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return base }}
}

// Handler answers every request of the port.
func (p *Port) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.headers(w, r)
		switch {
		case !p.names.allowed(r):
			refuse(w, http.StatusMisdirectedRequest, "the host is not called that")
		case r.Method == http.MethodOptions || r.Method == http.MethodConnect || r.Method == http.MethodTrace:
			refuse(w, http.StatusMethodNotAllowed, "")
		default:
			p.serve(w, r)
		}
	})
}

func (p *Port) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz":
		only(w, r, http.MethodGet, func() { answer(w, http.StatusOK, "ok\n") })
	case "/readyz":
		only(w, r, http.MethodGet, func() {
			if !p.health.ready(r.Context(), p.cfg) {
				refuse(w, http.StatusServiceUnavailable, "not ready")
				return
			}
			answer(w, http.StatusOK, "ok\n")
		})
	case "/login":
		only(w, r, http.MethodPost, func() { p.login(w, r) })
	case "/login/oidc", provider.CallbackPath:
		p.byProvider(w, r)
	case "/me", "/logout", server.MetricsPath:
		p.private.ServeHTTP(w, r)
	default:
		if _, ok := server.RouteOf(r.URL.Path); !ok && p.cfg.Console != nil {
			p.console(w, r)
			return
		}
		if r.URL.Path == "/" {
			http.NotFound(w, r)
			return
		}
		p.private.ServeHTTP(w, r)
	}
}

// console serves the files of the console to anybody: they say nothing of this host.
func (p *Port) console(w http.ResponseWriter, r *http.Request) {
	if !p.limits.strangers.take(addressOf(r)) {
		refuse(w, http.StatusTooManyRequests, "")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "")
		return
	}
	w.Header().Del("Cache-Control") // which of its files may be kept, it says
	p.cfg.Console.ServeHTTP(w, r)
}

// serveKnown answers whoever is known.
func (p *Port) serveKnown(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/me":
		only(w, r, http.MethodGet, func() { p.me(w, r) })
	case "/logout":
		only(w, r, http.MethodPost, func() { p.logout(w, r) })
	case server.MetricsPath:
		p.cfg.API.ServeHTTP(w, r.WithContext(server.WithCaller(r.Context(), p.callerOf(credentialOf(r.Context())))))
	default:
		p.route(w, r)
	}
}

// headers are on every answer.
func (p *Port) headers(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	// Of a name of loopback it would hold for whatever else listens there.
	if p.cfg.Strict && !isLoopbackName(hostOf(r.Host)) {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// health is whether the host is well, asked for at most once a second: anybody may
// ask.
type health struct {
	mu   sync.Mutex
	at   time.Time // guarded by mu
	well bool      // guarded by mu
}

func (h *health) ready(ctx context.Context, cfg Config) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := cfg.Now(); now.Sub(h.at) > time.Second {
		h.well, h.at = cfg.Ready(server.WithCaller(ctx, server.Caller{Principal: cfg.Principal, Role: server.Viewer})), now
	}
	return h.well
}

// only serves one method.
func only(w http.ResponseWriter, r *http.Request, method string, serve func()) {
	if r.Method != method {
		w.Header().Set("Allow", method)
		refuse(w, http.StatusMethodNotAllowed, "")
		return
	}
	serve()
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a caller that is gone has nobody to tell
}

// refuse answers with a status and words that nothing of the request is in.
func refuse(w http.ResponseWriter, status int, why string) {
	if why == "" {
		why = http.StatusText(status)
	}
	answer(w, status, why+"\n")
}

// hash is what is kept of what callers are known by.
type hash [sha256.Size]byte

func hashOf(text string) hash { return sha256.Sum256([]byte(text)) }

var errUnknown = errors.New("nobody is known by this")

// bug says that something is so that cannot be.
func bug(err error) error { return fmt.Errorf("internal error: %w", err) }
