// Package secret puts secrets into requests. A sandbox has placeholders; in a
// request toward the destination that a secret is bound to, in the place and the
// form that it is bound to, the value stands where the placeholder stood.
//
// Invariants:
//
//   - A value goes nowhere but into that place of that request (TestOnlyThere).
//   - A placeholder anywhere else refuses the request, before a value is asked
//     for (TestMisuse). In a long body, which is passed on as it comes, it ends
//     the request there (TestMisuseInBody).
//   - What signs is sent nowhere: a request that the program has signed with the
//     placeholder is signed anew, and one whose signature is not understood is
//     refused (TestSignAWS, TestSignChunks, TestSignHMAC).
//   - A value is asked for each request anew, and is kept by nothing but the
//     request and the search through its answer (TestEachRequest).
//   - What the answer repeats of it, as it is or in a usual encoding, arrives as
//     asterisks (TestScrub, TestScrubAnyBorder, TestEncoded).
//
// It does not find a value that the server encodes in another way, nor one that
// it sends in pieces: who is granted the use of a secret toward a server trusts
// that server.
//
// Layer: part of the plane. It has no network and no vault: values come from a
// Source.
package secret

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
)

// Reasons for which a request is refused.
const (
	Misuse     = request.Misuse
	Withdrawn  = "withdrawn"
	NotGranted = "not-granted"
)

// A Placeholder stands in the sandbox for a secret.
type Placeholder struct {
	Name    string // of the secret
	Text    string
	Binding binding.Binding
}

// A Use is one request that a value is put into.
type Use struct {
	Name   string // of the secret
	Method string
	Path   string
}

// A Source has the values. It decides about each use; an error refuses the
// request, a *request.Refused with its reason. It is safe for concurrent use.
type Source interface {
	Value(ctx context.Context, u Use) (binding.Value, error)
}

// A Filler is a request.Filler for the secrets of one sandbox.
type Filler struct {
	all    []sought
	source Source
}

var _ request.Filler = (*Filler)(nil)

// sought is a placeholder as it is looked for.
type sought struct {
	Placeholder
	folded string // a host's name loses its capitals on the way
}

// New makes a Filler of placeholders that differ from each other.
func New(all []Placeholder, source Source) (*Filler, error) {
	f := &Filler{source: source}
	for _, p := range all {
		if err := errors.Join(binding.Name(p.Name), p.Binding.Check()); err != nil {
			return nil, err
		}
		folded := strings.ToLower(p.Text)
		for _, o := range f.all {
			if strings.Contains(o.folded, folded) || strings.Contains(folded, o.folded) {
				return nil, fmt.Errorf("%s and %s have the same placeholder", o.Name, p.Name)
			}
		}
		if len(p.Text) < 32 {
			return nil, fmt.Errorf("the placeholder of %s is too short to be the only one", p.Name)
		}
		f.all = append(f.all, sought{p, folded})
	}
	return f, nil
}

// Bound reports whether a secret is bound to host:port.
func (f *Filler) Bound(host string, port uint16) bool {
	for _, s := range f.all {
		if s.Binding.Host == host && s.Binding.Port == port {
			return true
		}
	}
	return false
}

// Fill puts values where placeholders stand.
//
// Security: before, d was decided, is what was dialled, and has shown its
// certificate. After, a value is in the request only where its binding says; in
// every other case the request has none, and an error says so.
func (f *Filler) Fill(ctx context.Context, d request.Destination, r *http.Request) (request.Scrubber, error) {
	var spots []spot
	var signings []signing
	for _, s := range f.all {
		g, found, err := s.signed(d, r)
		if err != nil {
			return nil, err
		}
		if found {
			signings = append(signings, g)
		}
	}
	for _, s := range f.all {
		at, found, err := s.look(d, r)
		if err != nil {
			return nil, err
		}
		if found {
			spots = append(spots, at)
		}
	}
	at, found, err := f.body(d, r)
	if err != nil {
		return nil, err
	}
	if found {
		spots = append(spots, at)
	}
	var of []sought
	for _, s := range spots {
		of = append(of, s.of)
	}
	for _, g := range signings {
		of = append(of, g.of)
	}
	values, err := f.values(ctx, of, r)
	if err != nil {
		return nil, err
	}
	var scrub request.Scrubber // what signs is in no request, and in no answer
	if len(spots) > 0 {
		scrub = fill(spots, values, r)
	}
	for i, g := range signings { // of what is sent, so at the end
		if err := g.make(values[len(spots)+i].Reveal()); err != nil {
			return nil, err
		}
	}
	return scrub, nil
}

// values asks for the values that go into a request.
func (f *Filler) values(ctx context.Context, of []sought, r *http.Request) (all []binding.Value, err error) {
	for _, s := range of {
		v, err := f.source.Value(ctx, Use{Name: s.Name, Method: r.Method, Path: r.URL.EscapedPath()})
		if err != nil {
			return nil, err
		}
		if err := s.Binding.Fits(v); err != nil {
			return nil, &request.Refused{Reason: Withdrawn, Words: "the secret " + s.Name + " is no longer of one line"}
		}
		all = append(all, v)
	}
	return all, nil
}

// fill puts values where they go.
func fill(spots []spot, values []binding.Value, r *http.Request) request.Scrubber {
	scrub := &scrubber{}
	for i, s := range spots {
		s.put(values[i].Reveal())
		scrub.add(s.of.Binding, values[i].Reveal())
	}
	// What comes back encoded could not be searched.
	r.Header.Set("Accept-Encoding", "identity")
	r.Header.Del("Sec-Websocket-Extensions")
	return scrub
}

// A spot is where a value goes.
type spot struct {
	of  sought
	put func(value string)
}

// bound reports whether s is bound to d, and the request is for d.
func (s sought) bound(d request.Destination, r *http.Request) bool {
	b := s.Binding
	if d.Scheme != b.Scheme || d.Host != b.Host || d.Port != b.Port {
		return false
	}
	return (b.Scheme == binding.HTTPS || d.Loopback) && sameHost(d, r)
}

// look looks for the placeholder in all but the body.
func (s sought) look(d request.Destination, r *http.Request) (at spot, found bool, err error) {
	rest := head(r)
	if s.bound(d, r) {
		if put, without, ok := s.place(r); ok {
			at, found, rest = spot{s, put}, true, without
		}
	}
	for _, part := range rest {
		if s.in(part.text) {
			return spot{}, false, s.misuse(part.name)
		}
	}
	return at, found, nil
}

// misuse says where the placeholder should have been.
func (s sought) misuse(where string) error {
	return &request.Refused{Reason: Misuse, Words: fmt.Sprintf("the placeholder of the secret %s stands in the %s; the secret goes to %s, %s, and nowhere else",
		s.Name, where, s.Binding.Target(), s.Binding.Words())}
}
