package port_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/provider"
	"ambit.dev/ambit/internal/provider/providertest"
	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/server/port"
	"ambit.dev/ambit/internal/token"
)

// ownName is what the site is called by where people come back to.
const ownName = "ambit.example.org"

// A login is a site whose people log in by a provider.
type federation struct {
	*site
	provider *providertest.Provider
	client   *provider.Provider
}

// federated makes a site with a provider, which has answered.
func federated(t *testing.T, more string) *federation {
	t.Helper()
	f := unanswered(t, more)
	f.run(t)
	return f
}

// unanswered makes one whose provider has not been asked yet.
func unanswered(t *testing.T, more string) *federation {
	t.Helper()
	f := &federation{}
	f.site = newSite(t, func(c *port.Config) {
		_, number, err := net.SplitHostPort(c.Address)
		if err != nil {
			t.Fatal(err)
		}
		redirect := "https://" + ownName + ":" + number + provider.CallbackPath
		f.provider = providertest.Start(redirect, c.Now)
		t.Cleanup(f.provider.Server.Close)
		cfg, err := provider.Load(written(t, f.provider, redirect, more), token.Roles(), token.Org)
		if err != nil {
			t.Fatal(err)
		}
		if f.client, err = provider.New(cfg, c.Now, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		c.Provider = f.client
	})
	f.provider.Is(func(c providertest.Claims) { c.Set("groups", []string{"people", "operators"}) })
	return f
}

// written writes a configuration; more is what else stands in it.
func written(t *testing.T, p *providertest.Provider, redirect, more string) string {
	t.Helper()
	dir := t.TempDir()
	ca, secret, err := p.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(more, `"rules"`) {
		more += `"rules": [{"claim": "groups", "has": "operators", "role": "operator"}, {"claim": "groups", "has": "viewers", "role": "viewer"}],`
	}
	text := fmt.Sprintf(`{"login": {"name": "Example", "issuer": %q, "client": %q, "secret_file": %q, "redirect": %q, %s "ca": %q}}`,
		p.Server.URL, providertest.Client, secret, redirect, more, ca)
	path := filepath.Join(dir, "serve.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run has the provider asked, and waits until it has answered.
func (f *federation) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		f.client.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if _, _, err := f.client.Begin(); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the provider is not known")
		}
	}
}

// at is the name by which the site is asked.
func (f *federation) at() string { return ownName + f.host[strings.LastIndexByte(f.host, ':'):] }

// A visit is a browser that is on its way to the provider, or back.
type visit struct {
	cookie string // of the attempt
	there  string // the provider's address
	back   url.Values
}

// leave begins a login, as the page does.
func (f *federation) leave(t *testing.T) visit {
	t.Helper()
	a := f.send(t, exchange{path: "/login/oidc", body: "{}", header: jsonBody("Host", f.at(), "Origin", "https://"+f.at(), "Sec-Fetch-Site", "same-origin")})
	var m struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal([]byte(a.body), &m); a.status != http.StatusOK || err != nil {
		t.Fatalf("a login that begins is answered %d %s", a.status, a.body)
	}
	return visit{cookie: cookieOf(a, port.TryCookieName), there: m.URL}
}

func cookieOf(a response, name string) string {
	for _, text := range a.header.Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(text); err == nil && c.Name == name {
			return c.Value
		}
	}
	return ""
}

// ask is at the provider, which sends the browser back.
func (f *federation) ask(t *testing.T, v *visit) {
	t.Helper()
	c := *f.provider.Server.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a, err := c.Get(v.there)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	back, err := a.Location()
	if err != nil {
		t.Fatalf("the provider answers %d: %v", a.StatusCode, err)
	}
	v.back = back.Query()
}

// come comes back.
func (f *federation) come(t *testing.T, v visit) response {
	t.Helper()
	f.client0()
	f.clock.add(7 * time.Second) // what is tried in vain is bounded
	return f.send(t, exchange{method: http.MethodGet, path: provider.CallbackPath + "?" + v.back.Encode(),
		header: []string{"Host", f.at(), "Cookie", port.TryCookieName + "=" + v.cookie, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document"}})
}

// client0 has redirects told and not followed.
func (f *federation) client0() {
	f.site.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// enter logs in, and returns what came of it.
func (f *federation) enter(t *testing.T) response {
	t.Helper()
	v := f.leave(t)
	f.ask(t, &v)
	return f.come(t, v)
}

// me is who a cookie is.
func (f *federation) me(t *testing.T, cookie string) string {
	t.Helper()
	a := f.send(t, exchange{method: http.MethodGet, path: "/me", header: []string{"Host", f.at(), "Cookie", port.CookieName + "=" + cookie}})
	if a.status != http.StatusOK {
		return http.StatusText(a.status)
	}
	return strings.TrimSpace(a.body)
}

// wantIn wants a login that was let in, and returns its cookie.
func wantIn(t *testing.T, what string, a response) string {
	t.Helper()
	cookie := cookieOf(a, port.CookieName)
	if a.status != http.StatusSeeOther || cookie == "" || a.header.Get("Location") != "/" {
		t.Fatalf("%s is answered %d %q %v", what, a.status, a.body, a.header)
	}
	return cookie
}

// wantOut wants one that was refused.
func wantOut(t *testing.T, what string, a response, words string) {
	t.Helper()
	if a.status != http.StatusForbidden || cookieOf(a, port.CookieName) != "" || !strings.Contains(a.body, words) {
		t.Errorf("%s is answered %d %q %v; want %q", what, a.status, a.body, a.header, words)
	}
}

// Who has a role by a provider is known by it; the page is told its name, and nothing
// else; a logout ends it.
func TestProviderLogin(t *testing.T) {
	t.Parallel()
	f := federated(t, "")
	f.provider.Is(func(c providertest.Claims) { c.Set("preferred_username", "ada") })
	cookie := wantIn(t, "a login", f.enter(t))
	if got := f.me(t, cookie); got != `{"name":"ada","role":"operator","version":"v1"}` {
		t.Errorf("it is %s", got)
	}
	name := f.send(t, exchange{method: http.MethodGet, path: "/login/oidc", header: []string{"Host", f.at()}})
	if name.status != http.StatusOK || strings.TrimSpace(name.body) != `{"name":"Example"}` {
		t.Errorf("the page is told %d %s", name.status, name.body)
	}
	if a := f.send(t, exchange{method: http.MethodGet, path: "/login/oidc"}); a.status != http.StatusNotFound {
		t.Errorf("by a name that nobody is sent back to it is answered %d", a.status)
	}
	page := []string{"Host", f.at(), "Cookie", port.CookieName + "=" + cookie, "Origin", "https://" + f.at(), "X-Ambit", "1"}
	if a := f.send(t, exchange{path: "/logout", header: page}); a.status != http.StatusNoContent {
		t.Errorf("a logout is answered %d", a.status)
	}
	if got := f.me(t, cookie); got != "Unauthorized" {
		t.Errorf("after the logout it is %s", got)
	}
}

// A login ends with the provider's word. Where that is renewed it goes on, at most for
// twelve hours, and ends where the newer word says less, or is refused.
func TestProviderEnds(t *testing.T) {
	t.Parallel()
	f := federated(t, "")
	once := wantIn(t, "a login", f.enter(t))
	f.clock.add(59 * time.Minute)
	f.port.RenewDue(t.Context())
	if got := f.me(t, once); !strings.Contains(got, "operator") {
		t.Errorf("before the word's end it is %s", got)
	}
	f.clock.add(2 * time.Minute)
	if got := f.me(t, once); got != "Unauthorized" {
		t.Errorf("after the word's end it is %s", got)
	}
	f.provider.Lie(providertest.Lies{Renews: true})
	goesOn := wantIn(t, "a login that renews", f.enter(t))
	for range 14 { // of fifty minutes each
		f.clock.add(50 * time.Minute)
		f.port.RenewDue(t.Context())
	}
	if got := f.me(t, goesOn); !strings.Contains(got, "operator") {
		t.Errorf("after half a day, renewed, it is %s", got)
	}
	f.clock.add(20 * time.Minute)
	f.port.RenewDue(t.Context())
	if got := f.me(t, goesOn); got != "Unauthorized" {
		t.Errorf("after twelve hours it is %s", got)
	}
	for what, change := range map[string]func(){
		"the role was taken away": func() {
			f.provider.Is(func(c providertest.Claims) { c.Set("groups", []string{"people"}) })
		},
		"the role is a smaller one": func() {
			f.provider.Is(func(c providertest.Claims) { c.Set("groups", []string{"viewers"}) })
		},
		"the provider has nothing newer": f.provider.Revoke,
		"it is about somebody else": func() {
			f.provider.Lie(providertest.Lies{Renews: true, Claims: func(c providertest.Claims) { c.Set("sub", "u-2") }})
		},
	} {
		f.provider.Is(func(c providertest.Claims) { c.Set("groups", []string{"operators"}) })
		f.provider.Lie(providertest.Lies{Renews: true})
		cookie := wantIn(t, "another login", f.enter(t))
		change()
		f.clock.add(46 * time.Minute)
		f.port.RenewDue(t.Context())
		if got := f.me(t, cookie); got != "Unauthorized" {
			t.Errorf("%s: it is %s", what, got)
		}
	}
}

// What a browser comes back with counts once, for the browser that began, with this
// provider's answer to it; each attack stands beside the login that it was made of.
func TestAttackLogin(t *testing.T) {
	t.Parallel()
	f := federated(t, "")
	other := providertest.Start(f.provider.Redirect, f.clock.Now) // which the attacker has
	t.Cleanup(other.Server.Close)
	f.provider.Lie(providertest.Lies{Twice: true}) // it is not the provider that stops a replay
	const begin = "this browser began no such login"
	for what, tc := range map[string]struct {
		change func(v *visit)
		words  string
	}{
		"a login that somebody else began (CSRF)": {func(v *visit) { v.cookie = f.leave(t).cookie }, begin},
		"a browser without a cookie":              {func(v *visit) { v.cookie = "" }, begin},
		"a state of nobody":                       {func(v *visit) { v.back.Set("state", "x") }, begin},
		"no state":                                {func(v *visit) { v.back.Del("state") }, begin},
		"two states":                              {func(v *visit) { v.back.Add("state", v.back.Get("state")) }, begin},
		"somebody else's code (injection)": {func(v *visit) {
			theirs := f.leave(t)
			f.ask(t, &theirs)
			v.back.Set("code", theirs.back.Get("code"))
		}, "the login failed"},
		"no code":             {func(v *visit) { v.back.Del("code") }, "is none of a login"},
		"two codes":           {func(v *visit) { v.back.Add("code", "x") }, "is none of a login"},
		"a long code":         {func(v *visit) { v.back.Set("code", strings.Repeat("x", 5000)) }, "is none of a login"},
		"another issuer":      {func(v *visit) { v.back.Set("iss", other.Server.URL) }, "not this provider's"},
		"an error of its own": {func(v *visit) { v.back.Set("error", "<script>") }, "Example refused the login"},
		"another issuer's way": {func(v *visit) { // mix-up: sent there by the attacker, with this state
			there := *v
			there.there = strings.Replace(v.there, f.provider.Server.URL, other.Server.URL, 1)
			(&federation{site: f.site, provider: other}).ask(t, &there)
			v.back = there.back
		}, "not this provider's"},
		"the same, and it does not say who it is": {func(v *visit) {
			there := *v
			there.there = strings.Replace(v.there, f.provider.Server.URL, other.Server.URL, 1)
			(&federation{site: f.site, provider: other}).ask(t, &there)
			v.back = there.back
			v.back.Del("iss")
		}, "the login failed"},
	} {
		wantIn(t, "the login itself", f.enter(t))
		v := f.leave(t)
		f.ask(t, &v)
		tc.change(&v)
		wantOut(t, what, f.come(t, v), tc.words)
	}
	v := f.leave(t)
	f.ask(t, &v)
	forged := v
	forged.back = url.Values{"code": {"x"}, "state": {"x"}}
	wantOut(t, "a page's own state", f.come(t, forged), begin)
	wantIn(t, "the login after it", f.come(t, v))
	wantOut(t, "the same once more (replay)", f.come(t, v), begin)
	late := f.leave(t)
	f.ask(t, &late)
	f.clock.add(10 * time.Minute)
	wantOut(t, "one that came late", f.come(t, late), begin)
}

// Another page cannot begin a login, nor show what comes back, nor say where a browser
// goes then.
func TestAttackBegin(t *testing.T) {
	t.Parallel()
	f := federated(t, "")
	for what, header := range map[string][]string{
		"another origin": jsonBody("Host", f.at(), "Origin", "https://evil.example"), "a form": {"Host", f.at(), "Content-Type", "text/plain"},
		"another site": jsonBody("Host", f.at(), "Sec-Fetch-Site", "cross-site"),
	} {
		if a := f.send(t, exchange{path: "/login/oidc", body: "{}", header: header}); a.status != http.StatusForbidden || len(a.header.Values("Set-Cookie")) > 0 {
			t.Errorf("%s: %d %v", what, a.status, a.header)
		}
	}
	v := f.leave(t)
	f.ask(t, &v)
	f.client0()
	framed := f.send(t, exchange{method: http.MethodGet, path: provider.CallbackPath + "?" + v.back.Encode(),
		header: []string{"Host", f.at(), "Cookie", port.TryCookieName + "=" + v.cookie, "Sec-Fetch-Dest", "iframe"}})
	wantOut(t, "a frame", framed, "began no such login")
	for _, name := range []string{"return", "next", "redirect_uri", "url", "r"} {
		v.back.Set(name, "//evil.example/")
	}
	wantIn(t, "an address with more in it", f.come(t, v)) // to "/"
	if there, err := url.Parse(v.there); err != nil || there.Query().Get("redirect_uri") != f.provider.Redirect {
		t.Errorf("the provider is told to send people to %v", there)
	}
}

// Who floods it with attempts keeps nobody else from theirs, and it does not grow.
func TestManyTries(t *testing.T) {
	t.Parallel()
	f := federated(t, "")
	first := f.leave(t)
	f.ask(t, &first)
	for range 40 {
		f.clock.add(time.Second)
		f.leave(t)
	}
	wantOut(t, "an attempt that forty others came after", f.come(t, first), "began no such login")
	last := f.leave(t)
	f.ask(t, &last)
	wantIn(t, "the newest", f.come(t, last))
}

// A provider that does not answer keeps nobody waiting, and no token from working.
func TestProviderDown(t *testing.T) {
	t.Parallel()
	f := unanswered(t, "")
	a := f.send(t, exchange{path: "/login/oidc", body: "{}", header: jsonBody("Host", f.at())})
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "Example does not answer") {
		t.Errorf("a login is answered %d %s", a.status, a.body)
	}
	if a := f.send(t, exchange{path: version, body: "{}", header: jsonBody(bearer(f.tokens[server.Viewer])...)}); a.status != http.StatusOK {
		t.Errorf("a token is answered %d %s", a.status, a.body)
	}
	f.run(t)
	cookie := wantIn(t, "a login, when it answers", f.enter(t))
	f.provider.Server.Close()
	if got := f.me(t, cookie); !strings.Contains(got, "operator") {
		t.Errorf("when it is gone again, who is logged in is %s", got)
	}
}
