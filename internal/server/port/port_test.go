package port_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/server/port"
	"ambit.dev/ambit/internal/token"
)

// A clock is what the port takes for the time.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// A site is a port that listens on loopback, with a token of each role.
type site struct {
	port   *port.Port
	base   string // https://127.0.0.1:PORT
	host   string // 127.0.0.1:PORT
	clock  *clock
	file   token.File
	tokens map[server.Role]string
	client *http.Client
}

func newSite(t testing.TB, changes ...func(*port.Config)) *site {
	t.Helper()
	return serveSite(t, func(*http.Server) {}, changes...)
}

func serveSite(t testing.TB, bound func(*http.Server), changes ...func(*port.Config)) *site {
	t.Helper()
	state := t.TempDir()
	s := &site{clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)}, file: token.In(state), tokens: map[server.Role]string{}}
	for r := server.Viewer; r <= server.Admin; r++ {
		s.tokens[r] = s.add(t, r.String(), r, time.Hour*1000)
	}
	api, err := server.New(server.Config{State: state, Ambit: "/nonexistent/ambit", Keeper: "/nonexistent/keeper", Home: "/", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.host = l.Addr().String()
	s.base = "https://" + s.host
	cfg := port.Config{API: api.Handler(), Ready: func(context.Context) bool { return true }, Principal: "uid:1", Version: "v1", Tokens: token.Know(s.file),
		Address: s.host, Now: s.clock.Now, Log: slog.New(slog.DiscardHandler)}
	for _, change := range changes {
		change(&cfg)
	}
	if s.port, err = port.New(cfg); err != nil {
		t.Fatal(err)
	}
	cert, err := port.OwnCertificate(t.TempDir(), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := s.port.Server(t.Context())
	bound(h)
	served := make(chan error, 1)
	go func() { served <- h.Serve(tls.NewListener(l, cert.TLS())) }()
	// Whose certificate it is, TestOwnCertificate looks at.
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) add(t testing.TB, name string, role server.Role, lasts time.Duration) string {
	t.Helper()
	text := token.New()
	now := s.clock.Now()
	if err := s.file.Add(token.Token{Name: name, Role: role.String(), Hash: token.Hash(text), Created: now, Expires: now.Add(lasts)}); err != nil {
		t.Fatal(err)
	}
	return text
}

// An exchange is a request, and what came of it.
type exchange struct {
	method, path, body string
	header             []string // names and values; "Host" is that of the request
}

type response struct {
	status int
	header http.Header
	body   string
}

func (s *site) send(t testing.TB, e exchange) response {
	t.Helper()
	if e.method == "" {
		e.method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), e.method, s.base+e.path, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(e.header); i += 2 {
		if e.header[i] == "Host" {
			r.Host = e.header[i+1]
			continue
		}
		r.Header.Add(e.header[i], e.header[i+1])
	}
	a, err := s.client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", e.method, e.path, err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{a.StatusCode, a.Header, string(text)}
}

const version = "/ambit.v1.HostService/GetVersion"

func bearer(text string) []string { return []string{"Authorization", "Bearer " + text} }

func jsonBody(header ...string) []string {
	return append([]string{"Content-Type", "application/json"}, header...)
}

// login logs in, and returns the cookie.
func (s *site) login(t testing.TB, proof string) string {
	t.Helper()
	a := s.send(t, exchange{path: "/login", body: proof, header: jsonBody("Origin", s.base, "Sec-Fetch-Site", "same-origin")})
	c, ok := strings.CutPrefix(a.header.Get("Set-Cookie"), port.CookieName+"=")
	if a.status != http.StatusOK || !ok {
		t.Fatalf("a login is answered %d %q %v", a.status, a.body, a.header)
	}
	value, _, _ := strings.Cut(c, ";")
	return value
}

func asToken(text string) string { return `{"token":"` + text + `"}` }

// page is what a page of the host sends with its requests.
func (s *site) page(cookie string) []string {
	return []string{"Cookie", port.CookieName + "=" + cookie, "Origin", s.base, "Sec-Fetch-Site", "same-origin", "X-Ambit", "1"}
}

func contentTypeOf(r server.Route) string {
	if r.Streams() {
		return "application/connect+json"
	}
	return "application/json"
}

// Every route, by every role, with a token and with a login: who has the role gets to
// what it sent, which makes no sense; whoever has not, has ended, or is nobody, does
// not. Routes of the API that are not there are none.
func TestEveryRouteByRole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cookies := map[server.Role]string{}
	for r := server.Viewer; r <= server.Admin; r++ {
		cookies[r] = s.login(t, asToken(s.tokens[r]))
	}
	ended := s.add(t, "ended", server.Admin, -time.Second)
	gone := s.add(t, "gone", server.Admin, time.Hour)
	old := s.login(t, asToken(gone))
	if err := s.file.Remove("gone"); err != nil {
		t.Fatal(err)
	}
	nobody := [][]string{nil, bearer(token.Hash(s.tokens[server.Admin])), s.page("x"), s.page(old)}
	for _, r := range server.Routes() {
		send := func(header []string) string {
			return s.send(t, exchange{path: r.Procedure, body: "{no json", header: append([]string{"Content-Type", contentTypeOf(r)}, header...)}).body
		}
		for role := server.Viewer; role <= server.Admin; role++ {
			for how, header := range map[string][]string{"a token": bearer(s.tokens[role]), "a login": s.page(cookies[role])} {
				got := send(header)
				refused := strings.Contains(got, "permission_denied")
				if strings.Contains(got, "unauthenticated") || refused != (role < r.Least) {
					t.Errorf("%s by %s of the role %v: %s", r.Procedure, how, role, got)
				}
			}
		}
		s.clock.add(time.Minute) // what is tried in vain is bounded
		for _, header := range nobody {
			if got := send(header); !strings.Contains(got, "unauthenticated") {
				t.Errorf("%s by %q: %s", r.Procedure, header, got)
			}
		}
	}
	for _, text := range []string{ended, gone} {
		if a := s.send(t, exchange{path: version, body: "{}", header: jsonBody(bearer(text)...)}); a.status != http.StatusUnauthorized {
			t.Errorf("a token that is over is answered %d %s", a.status, a.body)
		}
	}
	for _, path := range []string{"/ambit.v1.HostService/Other", "/me", "/logout", "/debug/pprof/", "/ambit.v1.HostService/GetVersion/"} {
		if a := s.send(t, exchange{path: path, body: "{}", header: jsonBody()}); a.status != http.StatusUnauthorized {
			t.Errorf("%s by nobody is answered %d", path, a.status)
		}
	}
}

// Tokens and logins tell who it is, and end.
func TestWho(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	me := func(header []string) string {
		a := s.send(t, exchange{method: http.MethodGet, path: "/me", header: header})
		if a.status != http.StatusOK {
			return http.StatusText(a.status)
		}
		var m bytes.Buffer
		if err := json.Compact(&m, []byte(a.body)); err != nil {
			t.Fatal(err)
		}
		return m.String()
	}
	operator := `{"name":"operator","role":"operator","version":"v1"}`
	cookie := s.login(t, asToken(s.tokens[server.Operator]))
	for how, header := range map[string][]string{"a token": bearer(s.tokens[server.Operator]), "a login": s.page(cookie)} {
		if got := me(header); got != operator {
			t.Errorf("%s is %s", how, got)
		}
	}
	code := s.port.Code()
	byCode := s.login(t, `{"code":"`+code+`"}`)
	if got := me(s.page(byCode)); got != `{"name":"uid:1","role":"admin","version":"v1"}` {
		t.Errorf("who has the link is %s", got)
	}
	again := s.send(t, exchange{path: "/login", body: `{"code":"` + code + `"}`, header: jsonBody()})
	late := s.port.Code()
	s.clock.add(5 * time.Minute)
	over := s.send(t, exchange{path: "/login", body: `{"code":"` + late + `"}`, header: jsonBody()})
	if again.status != http.StatusUnauthorized || over.status != http.StatusUnauthorized {
		t.Errorf("a code that was used is answered %d, one that is over %d", again.status, over.status)
	}
	if a := s.send(t, exchange{path: "/logout", header: s.page(byCode)}); a.status != http.StatusNoContent {
		t.Errorf("a logout is answered %d", a.status)
	}
	if got := me(s.page(byCode)); got != "Unauthorized" {
		t.Errorf("after the logout it is %s", got)
	}
	s.clock.add(12 * time.Hour)
	if got := me(s.page(cookie)); got != "Unauthorized" {
		t.Errorf("after twelve hours it is %s", got)
	}
	if got := me(bearer(s.tokens[server.Operator])); got != operator {
		t.Errorf("after twelve hours the token is %s", got)
	}
}

// The numbers of the host are for whoever is known and may look, and for nobody else.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if got := s.send(t, exchange{method: http.MethodGet, path: server.MetricsPath}); got.status != http.StatusUnauthorized || strings.Contains(got.body, "ambit_") {
		t.Errorf("to nobody: %d %s", got.status, got.body)
	}
	got := s.send(t, exchange{method: http.MethodGet, path: server.MetricsPath, header: []string{"Authorization", "Bearer " + s.tokens[server.Viewer]}})
	if got.status != http.StatusOK || !strings.Contains(got.body, "\nambit_api_streams 0\n") || got.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("to a viewer: %d %v %s", got.status, got.header, got.body)
	}
	got = s.send(t, exchange{method: http.MethodGet, path: server.MetricsPath, header: []string{"Authorization", "Bearer " + s.tokens[server.Viewer], "Origin", "https://evil.example"}})
	if got.status != http.StatusForbidden {
		t.Errorf("to a page: %d %s", got.status, got.body)
	}
}

// A name that leads here by somebody else's doing is not served; those that somebody
// gave are.
func TestRebinding(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *port.Config) { c.Hosts = []string{"ambit.example.org", "other.example.org:444"} })
	_, number, err := net.SplitHostPort(s.host)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		s.host: 200, "localhost:" + number: 200, "ambit.localhost:" + number: 200, "[::1]:" + number: 200, "AMBIT.example.org:" + number: 200, "other.example.org:444": 200,
		"evil.example:" + number: 421, "evil.example": 421, "localhost": 421, "localhost:1": 421, "127.0.0.2:" + number: 421, "other.example.org:" + number: 421,
		"localhost." + "evil.example:" + number: 421, "ambit.localhost.evil.example:" + number: 421, "0.0.0.0:" + number: 421, "a@localhost:" + number: 421,
	} {
		a := s.send(t, exchange{path: version, body: "{}", header: append(jsonBody(bearer(s.tokens[server.Viewer])...), "Host", name)})
		if a.status != want && !(want == 421 && a.status == 400) { // what is no name at all, net/http refuses
			t.Errorf("%s is answered %d %s", name, a.status, a.body)
		}
	}
}

// What another page can make a browser send with its cookie is refused, whatever it
// is written as; the same request of a page of this host is served.
func TestForgedRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cookie := s.login(t, asToken(s.tokens[server.Admin]))
	with := func(header ...string) []string {
		return append([]string{"Cookie", port.CookieName + "=" + cookie}, header...)
	}
	const add = "/ambit.v1.GrantService/AddGrants"
	for name, tc := range map[string]struct {
		header []string
		served bool
	}{
		"a page of this host":          {with("Content-Type", "application/json", "Origin", s.base, "X-Ambit", "1", "Sec-Fetch-Site", "same-origin"), true},
		"the same, as Connect has it":  {with("Content-Type", "application/json", "Origin", s.base, "Connect-Protocol-Version", "1"), true},
		"a form, urlencoded":           {with("Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), false},
		"a form, multipart":            {with("Content-Type", "multipart/form-data; boundary=x", "Origin", "https://evil.example"), false},
		"a form, plain text":           {with("Content-Type", "text/plain", "Origin", "null"), false},
		"a form of this origin":        {with("Content-Type", "text/plain", "Origin", s.base), false},
		"no origin":                    {with("Content-Type", "application/json", "X-Ambit", "1"), false},
		"another origin":               {with("Content-Type", "application/json", "Origin", "https://evil.example", "X-Ambit", "1"), false},
		"null":                         {with("Content-Type", "application/json", "Origin", "null", "X-Ambit", "1"), false},
		"another port":                 {with("Content-Type", "application/json", "Origin", "https://127.0.0.1:1", "X-Ambit", "1"), false},
		"another name of this host":    {with("Content-Type", "application/json", "Origin", strings.Replace(s.base, "127.0.0.1", "localhost", 1), "X-Ambit", "1"), false},
		"without TLS":                  {with("Content-Type", "application/json", "Origin", strings.Replace(s.base, "https", "http", 1), "X-Ambit", "1"), false},
		"two origins":                  {with("Content-Type", "application/json", "Origin", s.base, "Origin", "https://evil.example", "X-Ambit", "1"), false},
		"no header that forms cannot":  {with("Content-Type", "application/json", "Origin", s.base), false},
		"the same site only":           {with("Content-Type", "application/json", "Origin", s.base, "X-Ambit", "1", "Sec-Fetch-Site", "same-site"), false},
		"a link that was followed":     {with("Content-Type", "application/json", "Origin", s.base, "X-Ambit", "1", "Sec-Fetch-Site", "none"), false},
		"a page with a token":          {append(jsonBody(bearer(s.tokens[server.Admin])...), "Origin", "https://evil.example"), false},
		"a program with a token":       {jsonBody(bearer(s.tokens[server.Admin])...), true},
		"two cookies, one of them bad": {append(with("Content-Type", "application/json", "Origin", s.base, "X-Ambit", "1"), "Cookie", port.CookieName+"=x"), false},
	} {
		a := s.send(t, exchange{path: add, body: "{}", header: tc.header})
		if served := strings.Contains(a.body, "expected VERDICT_ALLOW"); served != tc.served || !served && a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for _, site := range []string{"cross-site", "same-site", "none"} {
		if a := s.send(t, exchange{method: http.MethodGet, path: "/me", header: with("Sec-Fetch-Site", site)}); a.status != http.StatusForbidden {
			t.Errorf("/me of %s is answered %d %s", site, a.status, a.body)
		}
	}
	for name, header := range map[string][]string{"a page elsewhere": with("Origin", "https://evil.example"), "a page with a token": append(bearer(s.tokens[server.Admin]), "Origin", s.base)} {
		if a := s.send(t, exchange{method: http.MethodGet, path: "/me", header: header}); a.status != http.StatusForbidden {
			t.Errorf("/me of %s is answered %d %s", name, a.status, a.body)
		}
	}
	for name, header := range map[string][]string{"a form": {"Content-Type", "text/plain"}, "another origin": jsonBody("Origin", "https://evil.example"),
		"another site": jsonBody("Sec-Fetch-Site", "cross-site"), "nothing": nil} {
		if a := s.send(t, exchange{path: "/login", body: asToken(s.tokens[server.Admin]), header: header}); a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
			t.Errorf("a login by %s is answered %d %v", name, a.status, a.header)
		}
	}
}

// No page may ask whether it might, and none is told that it might; every answer says
// what browsers are not to do.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *port.Config) {
		c.Strict = true
		c.Hosts = []string{"ambit.example.org"}
		c.Console = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("console")) })
	})
	_, number, err := net.SplitHostPort(s.host)
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodOptions, http.MethodGet, http.MethodPost, http.MethodHead} {
		for _, path := range []string{version, "/", "/me", "/login", "/logout", "/healthz", "/readyz", "/other"} {
			a := s.send(t, exchange{method: method, path: path, header: jsonBody("Origin", "https://evil.example", "Access-Control-Request-Method", "POST", "Host", "ambit.example.org:"+number)})
			if method == http.MethodOptions && a.status != http.StatusMethodNotAllowed {
				t.Errorf("OPTIONS %s is answered %d", path, a.status)
			}
			for name := range a.header {
				if strings.Contains(name, "Access-Control") {
					t.Errorf("%s %s has %s", method, path, name)
				}
			}
			for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
				"Strict-Transport-Security": "max-age=31536000"} {
				if got := a.header.Get(name); got != want {
					t.Errorf("%s %s has %s: %q", method, path, name, got)
				}
			}
			if !strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
				t.Errorf("%s %s may be framed", method, path)
			}
			if console := path == "/" || path == "/other"; !console && a.header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s %s may be kept", method, path)
			}
		}
	}
	if a := s.send(t, exchange{method: http.MethodGet, path: "/"}); a.body != "console" || a.header.Get("Strict-Transport-Security") != "" {
		t.Errorf("the console is answered %d %q %v", a.status, a.body, a.header)
	}
}
