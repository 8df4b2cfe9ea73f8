package provider

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// An Attempt is one that somebody makes to log in: what nobody else knows of it.
type Attempt struct {
	state, nonce, verifier string
	begun                  time.Time
}

// IsState reports whether a state is that of the attempt.
func (a Attempt) IsState(text string) bool {
	return a.state != "" && subtle.ConstantTimeCompare([]byte(a.state), []byte(text)) == 1
}

// random is 256 random bits as text.
func random() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(bits[:])
}

// Begin begins an attempt, and says where its browser is to go.
func (p *Provider) Begin() (Attempt, string, error) {
	f, err := p.ready()
	if err != nil {
		return Attempt{}, "", err
	}
	a := Attempt{state: random(), nonce: random(), verifier: oauth2.GenerateVerifier(), begun: p.now()}
	return a, f.oauth.AuthCodeURL(a.state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier)), nil
}

// maxParameter bounds what a browser comes back with.
const maxParameter = 4 << 10

// Finish finds out who somebody is who came back with these parameters.
//
// Security: the state has been compared by whoever knows which browser the attempt is
// of (IsState); that the answer is this provider's, for this attempt and nobody
// else's, is made sure here: by the issuer that it names, by the verifier without
// which the code is worth nothing, and by the nonce in the token.
func (p *Provider) Finish(ctx context.Context, a Attempt, with url.Values) (Person, error) {
	f, err := p.ready()
	if err != nil {
		return Person{}, err
	}
	for _, name := range []string{"code", "state", "iss", "error"} {
		if n := len(with[name]); n > 1 || n == 1 && len(with[name][0]) > maxParameter {
			return Person{}, refusal("the address that the browser came back with is none of a login")
		}
	}
	switch {
	case !a.IsState(with.Get("state")):
		return Person{}, refusal("this is not the login that this browser began")
	case with.Has("iss") && with.Get("iss") != p.cfg.Issuer, f.namesSelf && !with.Has("iss"):
		return Person{}, refusal("the answer is not this provider's")
	case with.Has("error"):
		return Person{}, refusal(p.cfg.Name + " refused the login")
	case with.Get("code") == "":
		return Person{}, refusal("the address that the browser came back with is none of a login")
	}
	got, err := f.oauth.Exchange(oidc.ClientContext(ctx, p.client), with.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		return Person{}, fmt.Errorf("the provider gives no token for the code: %w", told(err))
	}
	raw, ok := got.Extra("id_token").(string)
	if !ok {
		return Person{}, errors.New("the provider's answer has no ID token")
	}
	t, err := p.verify(ctx, f, raw, a.begun)
	if err != nil {
		return Person{}, err
	}
	if a.nonce == "" || subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(a.nonce)) != 1 {
		return Person{}, errors.New("the ID token was made for another login")
	}
	who, err := p.cfg.person(t)
	who.refresh = got.RefreshToken
	return who, err
}

// Renew asks for a newer word about somebody. An error that is a Refusal is the
// provider's own; any other says nothing about them.
func (p *Provider) Renew(ctx context.Context, was Person) (Person, error) {
	f, err := p.ready()
	if err != nil {
		return Person{}, err
	}
	begun := p.now()
	ctx = oidc.ClientContext(ctx, p.client)
	got, err := f.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: was.refresh}).Token()
	if bad, ok := errors.AsType[*oauth2.RetrieveError](err); ok && bad.ErrorCode == "invalid_grant" {
		return Person{}, refusal("the provider's word is over")
	}
	if err != nil {
		return Person{}, told(err)
	}
	raw, ok := got.Extra("id_token").(string)
	if !ok {
		return Person{}, refusal("the provider has no newer word")
	}
	t, err := p.verify(ctx, f, raw, begun)
	if err != nil {
		return Person{}, errors.Join(refusal("the provider's newer word is not good"), err)
	}
	who, err := p.cfg.person(t)
	if err == nil && who.Subject != was.Subject {
		err = refusal("the provider's newer word is about somebody else")
	}
	if who.refresh = got.RefreshToken; who.refresh == "" {
		who.refresh = was.refresh
	}
	return who, err
}

// skew is by how much clocks may differ.
const skew = 2 * time.Minute

// verify makes sure that a token is this provider's, for this client, made since a
// time, and good now.
//
// Security: the signature, the issuer, the client and the end are go-oidc's to check,
// by keys that the provider has. Beside them: a token that is for others too has to be
// for nobody unknown, and of this client; and one that was made before the attempt was
// made for something else.
func (p *Provider) verify(ctx context.Context, f *found, raw string, since time.Time) (*oidc.IDToken, error) {
	t, err := f.verifier.Verify(oidc.ClientContext(ctx, p.client), raw)
	if err != nil {
		return nil, fmt.Errorf("the ID token is not good: %w", err)
	}
	for _, audience := range t.Audience {
		if audience != p.cfg.Client && !slices.Contains(p.cfg.Audiences, audience) {
			return nil, fmt.Errorf("the ID token is for %q too", audience)
		}
	}
	var claims struct {
		Party *string `json:"azp"`
	}
	if err := t.Claims(&claims); err != nil {
		return nil, err
	}
	if claims.Party != nil && *claims.Party != p.cfg.Client || claims.Party == nil && len(t.Audience) > 1 {
		return nil, errors.New("the ID token was given to another client")
	}
	if at := t.IssuedAt; at.Before(since.Add(-skew)) || at.After(p.now().Add(skew)) {
		return nil, fmt.Errorf("the ID token was made at %s, and the login began at %s", at.UTC().Format(time.RFC3339), since.UTC().Format(time.RFC3339))
	}
	return t, nil
}

// told is an error without what the provider wrote: it may repeat what it was sent.
func told(err error) error {
	if bad, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		code := bad.ErrorCode
		if !plain(code, maxName) {
			code = "?"
		}
		return fmt.Errorf("status %d, %s", bad.Response.StatusCode, code)
	}
	return err
}
