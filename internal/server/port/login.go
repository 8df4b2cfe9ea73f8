package port

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/token"
)

// CookieName is that of a login. Browsers take a cookie of such a name from this host
// alone, and send it by TLS alone (RFC 6265bis, __Host-).
const CookieName = "__Host-ambit"

// Bounds of logins.
const (
	loginLasts = 12 * time.Hour
	codeLasts  = 5 * time.Minute
	maxLogins  = 1024
	maxLogin   = 4 << 10 // bytes of a request
)

func (h hash) String() string { return hex.EncodeToString(h[:]) }

// A login is a browser that is known.
type login struct {
	credential
	ends     time.Time
	loopback bool // it came over loopback, and is good for nobody else
	word     word // of a provider, where it is one by a provider
}

// logins are those that there are, and the code that one may be made with. They are
// in memory only: with the host they end.
type logins struct {
	now func() time.Time

	mu       sync.Mutex
	of       map[hash]login // guarded by mu; by what the cookie hashes to
	code     hash           // guarded by mu
	codeEnds time.Time      // guarded by mu; zero: there is none
}

func newLogins(now func() time.Time) *logins { return &logins{now: now, of: map[hash]login{}} }

// secret is 256 random bits as text.
func secret() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// Code makes the code by which one browser may log in as whose host this is, once and
// within five minutes. An earlier one is none any more.
func (p *Port) Code() string {
	l := p.logins
	l.mu.Lock()
	defer l.mu.Unlock()
	text := secret()
	l.code, l.codeEnds = hashOf(text), l.now().Add(codeLasts)
	return text
}

// spend takes the code, if it is this one.
func (l *logins) spend(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.now().Before(l.codeEnds) || hashOf(text) != l.code { // of hashes: what it takes says nothing of the code
		return false
	}
	l.codeEnds = time.Time{}
	return true
}

// begin makes a login, and the text of its cookie.
func (l *logins) begin(it login) (text string, ends time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var oldest hash
	for h, other := range l.of {
		if !now.Before(other.ends) {
			delete(l.of, h)
		} else if first, ok := l.of[oldest]; !ok || other.ends.Before(first.ends) {
			oldest = h
		}
	}
	if len(l.of) >= maxLogins {
		delete(l.of, oldest)
	}
	text, it.word.most = secret(), now.Add(loginLasts)
	it.ends = it.word.ends(it.word.most)
	it.login, it.page, it.key = hashOf(text), true, "login "+hashOf(text).String()
	l.of[it.login] = it
	return text, it.word.most
}

func (l *logins) find(h hash) (login, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it, ok := l.of[h]
	return it, ok && l.now().Before(it.ends)
}

func (l *logins) stands(h hash) bool {
	_, ok := l.find(h)
	return ok
}

func (l *logins) end(h hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.of, h)
}

// byCookie finds the login that a request has.
//
// Security: a login ends with its token. Cookies do not tell ports apart, so a program
// that listens on another port of loopback, which a sandbox may have been granted, can
// be sent this one by a browser; a login that was made over loopback is therefore good
// over loopback alone, which no sandbox reaches and no other machine.
func (p *Port) byCookie(r *http.Request) (credential, error) {
	all := r.CookiesNamed(CookieName)
	if len(all) != 1 {
		return credential{}, errUnknown
	}
	it, ok := p.logins.find(hashOf(all[0].Value))
	if !ok || it.loopback && !fromLoopback(r) {
		return credential{}, errUnknown
	}
	if it.byHash {
		t, ok, err := p.cfg.Tokens.ByHash(it.token.String(), p.cfg.Now())
		if err != nil || !ok {
			return credential{}, errors.Join(err, none(err))
		}
		p.cfg.Tokens.Note(t, p.cfg.Now())
	}
	return it.credential, nil
}

// forged is why a request may be one that somebody else's page made a browser send;
// "" where it cannot.
//
// Security: a cookie goes with whatever request a browser is made to send. That it is
// from a page of this very origin, the browser says (Origin; Sec-Fetch-Site), and a
// page of another one can neither set the headers that are wanted here nor ask whether
// it might: OPTIONS is refused. Forms can set no header at all.
func (p *Port) forged(r *http.Request, c credential) string {
	if site := r.Header.Get("Sec-Fetch-Site"); c.page && site != "" && site != "same-origin" {
		return "the request is not from a page of this host"
	}
	origins := r.Header.Values("Origin")
	own := len(origins) == 1 && origins[0] == "https://"+r.Host
	switch {
	case !c.page && len(origins) > 0:
		return "requests of web pages come with a login, and not with a token"
	case len(origins) > 0 && !own:
		return "the request is not from a page of this host"
	case !c.page || r.Method == http.MethodGet || r.Method == http.MethodHead:
		return ""
	case !own:
		return "the request does not say which page it is from"
	case r.Header.Get("X-Ambit") != "1" && r.Header.Get("Connect-Protocol-Version") == "":
		return "the request has no header X-Ambit: 1"
	}
	return ""
}

// A proof is what somebody logs in with: one of both.
type proof struct {
	Token string `json:"token"`
	Code  string `json:"code"`
}

// login gives a browser its cookie.
func (p *Port) login(w http.ResponseWriter, r *http.Request) {
	if why := p.forgedLogin(r); why != "" {
		refuse(w, http.StatusForbidden, why)
		return
	}
	from := addressOf(r)
	if !p.limits.failures.left(from) {
		w.Header().Set("Retry-After", "60")
		refuse(w, http.StatusTooManyRequests, "too many attempts")
		return
	}
	in, err := readProof(w, r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "expected {\"token\":…} or {\"code\":…}")
		return
	}
	c, err := p.prove(in)
	switch {
	case errors.Is(err, errUnknown):
		p.limits.failures.take(from)
		p.cfg.Log.WarnContext(r.Context(), "a login was refused", "from", from)
		refuse(w, http.StatusUnauthorized, "this is not good, or not any more")
		return
	case err != nil:
		p.cfg.Log.ErrorContext(r.Context(), "who is known cannot be read", "why", err)
		p.fail(w, r, http.StatusServiceUnavailable, connect.CodeUnavailable, "who is known cannot be read")
		return
	}
	p.giveCookie(w, r, login{credential: c})
	p.me(w, r.WithContext(withCredential(r.Context(), c)))
}

// giveCookie makes a login of whoever is known now.
func (p *Port) giveCookie(w http.ResponseWriter, r *http.Request, it login) {
	it.loopback = fromLoopback(r)
	text, ends := p.logins.begin(it)
	http.SetCookie(w, &http.Cookie{Name: CookieName, Value: text, Path: "/", Expires: ends, MaxAge: int(loginLasts / time.Second),
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	p.cfg.Log.InfoContext(r.Context(), "a login", "by", it.by, "from", addressOf(r))
}

// forgedLogin is why a login may be one that another page made a browser send, to have
// its own person logged in here.
func (p *Port) forgedLogin(r *http.Request) string {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	origins, site := r.Header.Values("Origin"), r.Header.Get("Sec-Fetch-Site")
	switch {
	case len(origins) > 1 || len(origins) == 1 && origins[0] != "https://"+r.Host, site != "" && site != "same-origin":
		return "the request is not from a page of this host"
	case err != nil || kind != "application/json":
		return "expected application/json"
	}
	return ""
}

func readProof(w http.ResponseWriter, r *http.Request) (in proof, err error) {
	body, err := wholeBody(w, r, maxLogin)
	if err != nil {
		return in, err
	}
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return in, err
	}
	if (in.Token == "") == (in.Code == "") {
		return in, errors.New("expected one of both")
	}
	return in, nil
}

// prove finds out who logs in.
func (p *Port) prove(in proof) (credential, error) {
	switch {
	case in.Code != "" && p.logins.spend(in.Code):
		return credential{name: p.cfg.Principal, by: "the link at the terminal", role: server.Admin}, nil
	case in.Token != "" && token.Plausible(in.Token):
		return p.byToken(in.Token)
	}
	return credential{}, errUnknown
}

// logout ends a login. A token has none.
func (p *Port) logout(w http.ResponseWriter, r *http.Request) {
	if c := credentialOf(r.Context()); c.page {
		p.logins.end(c.login)
		http.SetCookie(w, &http.Cookie{Name: CookieName, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	w.WriteHeader(http.StatusNoContent)
}

// wholeBody reads a body that has a bound.
func wholeBody(w http.ResponseWriter, r *http.Request, most int64) (io.ReadCloser, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	return io.NopCloser(bytes.NewReader(text)), err
}
