package port

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/token"
)

// A credential is what a caller is known by.
type credential struct {
	name string      // as people are told
	by   string      // as the log is told
	role server.Role // what it may
	org  string      // whose it is; "": of who runs the machine
	key  string      // what limits go by: never the credential itself

	token  hash // of the token, where it is one or a login was made with one
	byHash bool // there is a token
	login  hash // of the session, where it is one
	page   bool // a browser sent it by itself, as a cookie
}

type credentialKey struct{}

func withCredential(ctx context.Context, c credential) context.Context {
	return context.WithValue(ctx, credentialKey{}, c)
}

func credentialOf(ctx context.Context) credential {
	c, _ := ctx.Value(credentialKey{}).(credential)
	return c
}

// known lets through whom a token or a login makes known.
//
// Security: it stands before everything but the console's files. Where both are sent
// the token counts and the cookie does not: a program has no cookie to be confused by.
func (p *Port) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := p.credential(r)
		switch {
		case errors.Is(err, errUnknown):
			p.unknown(w, r)
			return
		case err != nil:
			p.cfg.Log.ErrorContext(r.Context(), "who is known cannot be read", "why", err)
			p.fail(w, r, http.StatusServiceUnavailable, connect.CodeUnavailable, "who is known cannot be read")
			return
		}
		if !p.limits.requests.take(c.key) {
			w.Header().Set("Retry-After", "1")
			p.fail(w, r, http.StatusTooManyRequests, connect.CodeResourceExhausted, "too many requests")
			return
		}
		if why := p.forged(r, c); why != "" {
			p.fail(w, r, http.StatusForbidden, connect.CodePermissionDenied, why)
			return
		}
		next.ServeHTTP(w, r.WithContext(withCredential(r.Context(), c)))
	})
}

// unknown refuses whoever is not known. What was tried counts as a failed login.
func (p *Port) unknown(w http.ResponseWriter, r *http.Request) {
	limit := p.limits.strangers
	if r.Header.Get("Authorization") != "" {
		limit = p.limits.failures
	}
	if !limit.take(addressOf(r)) {
		w.Header().Set("Retry-After", "60")
		p.fail(w, r, http.StatusTooManyRequests, connect.CodeResourceExhausted, "too many attempts")
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="ambit"`)
	p.fail(w, r, http.StatusUnauthorized, connect.CodeUnauthenticated, "a token or a login is needed")
}

// credential finds out what a request is sent with; errUnknown where that is nothing
// that is good.
func (p *Port) credential(r *http.Request) (credential, error) {
	if all := r.Header.Values("Authorization"); len(all) > 0 {
		scheme, text, _ := strings.Cut(all[0], " ")
		if len(all) > 1 || !strings.EqualFold(scheme, "Bearer") || !token.Plausible(text) {
			return credential{}, errUnknown
		}
		return p.byToken(text)
	}
	return p.byCookie(r)
}

func (p *Port) byToken(text string) (credential, error) {
	now := p.cfg.Now()
	t, ok, err := p.cfg.Tokens.ByHash(token.Hash(text), now)
	if err != nil || !ok {
		return credential{}, errors.Join(err, none(err))
	}
	p.cfg.Tokens.Note(t, now)
	return credential{name: t.Name, by: of("token "+t.Name, t.Org), role: server.RoleOf(t.Role), org: t.Org, key: "token " + t.Hash, token: hashOf(text), byHash: true}, nil
}

// of says beside what somebody is known by of which organisation they are.
func of(by, org string) string {
	if org == "" {
		return by
	}
	return by + " of " + org
}

func none(err error) error {
	if err != nil {
		return nil
	}
	return errUnknown
}

// callerOf is who sends what is sent with a credential.
func (p *Port) callerOf(c credential) server.Caller {
	return server.Caller{Principal: principal.Of(p.cfg.Principal, c.org), Role: c.role, By: c.by, Page: c.page}
}

// stands reports whether a credential is still good.
func (p *Port) stands(c credential) bool {
	if c.page && !p.logins.stands(c.login) {
		return false
	}
	if c.byHash {
		_, ok, err := p.cfg.Tokens.ByHash(c.token.String(), p.cfg.Now())
		return ok && err == nil
	}
	return c.page
}

// lookEvery is how often it is looked whether who has a stream may still have it.
const lookEvery = 200 * time.Millisecond

// Bounds of one request.
const (
	bodyWithin   = 30 * time.Second // from its headers on
	answerWithin = 3 * time.Minute  // of what is no stream; a command line has one
	lastWords    = 500 * time.Millisecond
)

// route serves a route of the API.
//
// Security: the body is read whole before anything is made of it, within a bound of
// bytes and one of time (Server), so that who sends slowly holds nothing but its connection.
func (p *Port) route(w http.ResponseWriter, r *http.Request) {
	route, ok := server.RouteOf(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	c := credentialOf(r.Context())
	ctx := server.WithCaller(r.Context(), p.callerOf(c))
	if c.role < route.Least {
		p.cfg.API.ServeHTTP(w, r.WithContext(ctx)) // which refuses it, unread
		return
	}
	conn := http.NewResponseController(w)
	body, err := wholeBody(w, r, route.Most())
	if err != nil {
		p.fail(w, r, http.StatusRequestEntityTooLarge, connect.CodeResourceExhausted, "the request is too long, or did not arrive")
		return
	}
	r.Body = body
	var ends time.Time
	if !route.Streams() {
		ends = time.Now().Add(answerWithin)
	}
	if err := errors.Join(conn.SetReadDeadline(time.Time{}), conn.SetWriteDeadline(ends)); err != nil {
		p.broken(w, r, err)
		return
	}
	if route.Streams() {
		p.stream(w, r.WithContext(ctx), conn, c)
		return
	}
	p.cfg.API.ServeHTTP(w, r.WithContext(ctx))
}

// stream serves a route that goes on, for as long as its caller may have it.
func (p *Port) stream(w http.ResponseWriter, r *http.Request, conn *http.ResponseController, c credential) {
	done, ok := p.limits.streams.begin(c.key, maxStreams)
	if !ok {
		p.fail(w, r, http.StatusTooManyRequests, connect.CodeResourceExhausted, "too many streams at once")
		return
	}
	defer done()
	ctx, cancel := context.WithCancelCause(r.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !p.stands(c) {
				// Who does not read would hold it open.
				_ = conn.SetWriteDeadline(time.Now().Add(lastWords)) // it was set before
				cancel(connect.NewError(connect.CodeUnauthenticated, errors.New("the token or the login has ended")))
				return
			}
		}
	}()
	defer func() {
		cancel(nil)
		<-watched
	}()
	p.cfg.API.ServeHTTP(w, r.WithContext(ctx))
}

func (p *Port) broken(w http.ResponseWriter, r *http.Request, err error) {
	p.cfg.Log.ErrorContext(r.Context(), "a connection without deadlines", "why", bug(err))
	p.fail(w, r, http.StatusInternalServerError, connect.CodeInternal, "internal error")
}

// fail refuses a request in the words of its protocol: programs of the API read
// codes.
func (p *Port) fail(w http.ResponseWriter, r *http.Request, status int, code connect.Code, why string) {
	writer := connect.NewErrorWriter()
	if _, ok := server.RouteOf(r.URL.Path); ok && writer.IsSupported(r) {
		_ = writer.Write(w, r, connect.NewError(code, errors.New(why))) // a caller that is gone has nobody to tell
		return
	}
	refuse(w, status, why)
}

// me tells who the caller is.
func (p *Port) me(w http.ResponseWriter, r *http.Request) {
	c := credentialOf(r.Context())
	writeJSON(w, struct {
		Name    string `json:"name"`
		Role    string `json:"role"`
		Org     string `json:"org,omitempty"`
		Version string `json:"version"`
	}{c.name, c.role.String(), c.org, p.cfg.Version})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a caller that is gone has nobody to tell
}
