// Package providertest is an OpenID provider for tests, on loopback, by TLS. It checks
// what a provider checks (client, secret, redirect address, PKCE, codes that are good
// once), and can be made to lie. It is not part of the product.
package providertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// What a client is known by here.
const (
	Client = "ambit"
	Secret = "the client's secret"
)

// Claims are what an ID token says.
type Claims map[string]json.RawMessage

// Set sets a claim.
func (c Claims) Set(name string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a test's own value
	}
	c[name] = text
}

// A Provider is a running one. What it is made to do is set by Lie.
type Provider struct {
	Server   *httptest.Server
	Redirect string // the one address that it sends people back to

	now func() time.Time
	key *ecdsa.PrivateKey

	mu      sync.Mutex
	who     Claims            // guarded by mu; the person at the browser
	codes   map[string]*grant // guarded by mu
	refresh map[string]bool   // guarded by mu
	asked   []string          // guarded by mu; paths
	lies    Lies              // guarded by mu
}

// Lies are what a provider does otherwise than it should; zero: nothing.
type Lies struct {
	Claims  func(Claims)                     // changes what the next tokens say
	Sign    func(header, body string) string // signs them in another way
	Instead map[string]http.HandlerFunc      // answers paths in its place
	Renews  bool                             // it gives refresh tokens, which is no lie
	Twice   bool                             // a code is good again
}

// A grant is what a code stands for.
type grant struct {
	challenge, nonce string
	used             bool
}

// Start starts a provider. The person at its browser is who says so.
func Start(redirect string, now func() time.Time) *Provider {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // it never fails
	}
	p := &Provider{Redirect: redirect, now: now, key: key, codes: map[string]*grant{}, refresh: map[string]bool{}, who: Claims{}}
	p.who.Set("sub", "u-1")
	p.Server = httptest.NewTLSServer(http.HandlerFunc(p.serve))
	return p
}

// Is makes a person of the one at the browser.
func (p *Provider) Is(set func(Claims)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	set(p.who)
}

// Lie makes it do otherwise than it should.
func (p *Provider) Lie(l Lies) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lies = l
}

// Asked are the paths that it was asked for.
func (p *Provider) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Revoke makes its refresh tokens good for nothing.
func (p *Provider) Revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.refresh)
}

// Files writes who vouches for it, and the client's secret, into a folder.
func (p *Provider) Files(dir string) (ca, secret string, err error) {
	ca, secret = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "client.secret")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Server.Certificate().Raw})
	if err = os.WriteFile(ca, cert, 0o600); err == nil {
		err = os.WriteFile(secret, []byte(Secret+"\n"), 0o600)
	}
	return ca, secret, err
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.Path)
	instead := p.lies.Instead[r.URL.Path]
	p.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		u := p.Server.URL
		p.write(w, map[string]string{"issuer": u, "authorization_endpoint": u + "/authorize", "token_endpoint": u + "/token", "jwks_uri": u + "/keys"})
	case "/keys":
		p.write(w, map[string][]map[string]string{"keys": {JWK(&p.key.PublicKey)}})
	case "/authorize":
		p.authorize(w, r)
	case "/token":
		p.token(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *Provider) write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked is gone
}

// JWK is a public key as providers publish it.
func JWK(k *ecdsa.PublicKey) map[string]string {
	point, err := k.Bytes()
	if err != nil {
		panic(err) // of a test's own key
	}
	return map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1", "x": encode(point[1:33]), "y": encode(point[33:])}
}

// authorize sends the browser back with a code: the person is logged in here.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != Client || q.Get("redirect_uri") != p.Redirect || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "no such client", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = &grant{challenge: q.Get("code_challenge"), nonce: q.Get("nonce")}
	p.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.Server.URL}}
	http.Redirect(w, r, p.Redirect+"?"+back.Encode(), http.StatusFound)
}

// token gives an ID token for a code, or for a refresh token.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, ok := r.BasicAuth()
	if id, _ = url.QueryUnescape(id); !ok || id != Client {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	if secret, _ = url.QueryUnescape(secret); secret != Secret {
		http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
		return
	}
	nonce, ok := p.spend(r)
	if !ok {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		p.write(w, map[string]string{"error": "invalid_grant"})
		return
	}
	a := map[string]string{"access_token": "a", "token_type": "Bearer", "id_token": p.Token(nonce)}
	p.mu.Lock()
	if p.lies.Renews {
		a["refresh_token"] = rand.Text()
		p.refresh[a["refresh_token"]] = true
	}
	p.mu.Unlock()
	p.write(w, a)
}

func (p *Provider) spend(r *http.Request) (nonce string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if again := r.PostFormValue("refresh_token"); r.PostFormValue("grant_type") == "refresh_token" {
		ok = p.refresh[again]
		delete(p.refresh, again)
		return "", ok
	}
	g := p.codes[r.PostFormValue("code")]
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if g == nil || g.used && !p.lies.Twice || g.challenge != encode(sum[:]) || r.PostFormValue("redirect_uri") != p.Redirect {
		return "", false
	}
	g.used = true
	return g.nonce, true
}

// Token makes an ID token about the person at the browser.
func (p *Provider) Token(nonce string) string {
	p.mu.Lock()
	c, lies := Claims{}, p.lies
	maps.Copy(c, p.who)
	p.mu.Unlock()
	now := p.now()
	c.Set("iss", p.Server.URL)
	c.Set("aud", Client)
	c.Set("iat", now.Unix())
	c.Set("exp", now.Add(time.Hour).Unix())
	if nonce != "" {
		c.Set("nonce", nonce)
	}
	if lies.Claims != nil {
		lies.Claims(c)
	}
	body, err := json.Marshal(c)
	if err != nil {
		panic(err) // of a test's own values
	}
	const header = `{"alg":"ES256","kid":"1","typ":"JWT"}`
	if lies.Sign != nil {
		return lies.Sign(header, string(body))
	}
	return Sign(p.key, header, string(body))
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Part is a part of a token.
func Part(text string) string { return encode([]byte(text)) }

// Sign makes a token that a key signs by ES256, whatever its header says.
func Sign(key *ecdsa.PrivateKey, header, body string) string {
	text := Part(header) + "." + Part(body)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err) // it never fails
	}
	var both [64]byte
	r.FillBytes(both[:32])
	s.FillBytes(both[32:])
	return text + "." + encode(both[:])
}
