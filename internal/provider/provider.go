// Package provider asks an OpenID provider who somebody is: by the authorization code
// flow with PKCE, and by the ID token that comes of it.
//
// It knows no cookies and no browsers, and decides nothing: a role is a word here.
// Invariants:
//
//   - Nobody is who no rule of the configuration names (TestRules).
//   - A token of another issuer, for another client, signed by another key or in
//     another way, that is over, or that was made for another attempt is nobody's
//     (TestToken).
//   - It asks the hosts that the configuration names, by TLS, within bounds of time
//     and size, and goes nowhere that they send it (TestReach).
//   - Until the provider answers, nobody waits for it (TestDown).
//
// Layer: beneath the port. It imports nothing of ours.
package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// A Provider is one of them. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	mu    sync.Mutex
	found *found // guarded by mu; nil: it has not answered yet
}

// found is what a provider says of itself.
type found struct {
	oauth     oauth2.Config
	verifier  *oidc.IDTokenVerifier
	namesSelf bool // it says who it is where it sends people back (RFC 9207)
}

// ErrUnready says that the provider has not said yet how it is asked.
var ErrUnready = errors.New("the provider does not answer")

// A Refusal is why somebody is not let in, in words for them: nothing of a token is
// in it.
type Refusal struct{ Words string }

func (r *Refusal) Error() string { return r.Words }

func refusal(words string) error { return &Refusal{words} }

// New makes a provider, which is asked nothing before Run.
func New(cfg Config, now func() time.Time, log *slog.Logger) (*Provider, error) {
	client, err := reach(cfg)
	if err != nil {
		return nil, err
	}
	return &Provider{cfg: cfg, client: client, now: now, log: log}, nil
}

// Name is what people call it.
func (p *Provider) Name() string { return p.cfg.Name }

// Redirect is where it sends people back to.
func (p *Provider) Redirect() *url.URL {
	u := *p.cfg.redirect
	return &u
}

// How often it is asked how it is asked.
const (
	againFirst = time.Second
	againMost  = 2 * time.Minute
	againLater = time.Hour // it may change
)

// Run asks the provider how it is asked, again and again, until ctx ends.
func (p *Provider) Run(ctx context.Context) {
	wait := againFirst
	for {
		f, err := p.discover(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			p.log.WarnContext(ctx, "the provider of logins does not say how it is asked", "issuer", p.cfg.Issuer, "why", err)
		default:
			p.mu.Lock()
			first := p.found == nil
			p.found = f
			p.mu.Unlock()
			if first {
				p.log.InfoContext(ctx, "logins by a provider", "name", p.cfg.Name, "issuer", p.cfg.Issuer)
			}
			wait = againLater
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = min(2*wait, againMost)
	}
}

func (p *Provider) ready() (*found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		return nil, ErrUnready
	}
	return p.found, nil
}

// discover reads what the provider says of itself.
//
// Security: where it sends people, and where its tokens and keys are asked for, it
// says; each has to be at a host that the configuration names.
func (p *Provider) discover(ctx context.Context) (*found, error) {
	said, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	var about struct {
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Self    bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := said.Claims(&about); err != nil {
		return nil, err
	}
	at := said.Endpoint()
	for _, text := range []string{at.AuthURL, at.TokenURL, about.Keys} {
		u, err := url.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("it names %q: %w", text, err)
		}
		if err := p.cfg.reaches(u); err != nil {
			return nil, err
		}
	}
	secret, err := p.cfg.secret()
	if err != nil {
		return nil, err
	}
	at.AuthStyle = oauth2.AuthStyleInHeader
	if secret == "" || len(about.Methods) > 0 && !slices.Contains(about.Methods, "client_secret_basic") {
		at.AuthStyle = oauth2.AuthStyleInParams
	}
	return &found{namesSelf: about.Self,
		oauth: oauth2.Config{ClientID: p.cfg.Client, ClientSecret: secret, Endpoint: at, RedirectURL: p.cfg.Redirect,
			Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...)},
		verifier: said.VerifierContext(oidc.ClientContext(ctx, p.client), &oidc.Config{ClientID: p.cfg.Client, SupportedSigningAlgs: p.cfg.Algorithms, Now: p.now}),
	}, nil
}
