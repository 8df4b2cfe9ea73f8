package provider

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// A Person is who somebody is by the word of a provider.
type Person struct {
	Subject string    // what the provider knows them by, for ever
	Name    string    // as people are told; nothing is decided by it
	Role    string    // of the first rule that holds
	Org     string    // of the same rule
	Ends    time.Time // of the provider's word

	refresh string // what a newer word is asked for with; "": there is none
}

// Renews reports whether the provider can be asked again.
func (p Person) Renews() bool { return p.refresh != "" }

const (
	maxSubject = 255 // OpenID Connect Core 1.0, 2
	maxName    = 100
)

// person reads who a token is about.
//
// Security: by the subject alone a person is the same as before: names are what people
// may choose, and addresses are given to others later.
func (c *Config) person(t *oidc.IDToken) (Person, error) {
	var claims map[string]json.RawMessage
	if err := t.Claims(&claims); err != nil {
		return Person{}, err
	}
	p := Person{Subject: t.Subject, Name: t.Subject, Ends: t.Expiry}
	if !plain(p.Subject, maxSubject) {
		return Person{}, refusal("the provider did not say who this is")
	}
	if name, ok := read[string](claims[c.User]); ok && plain(name, maxName) {
		p.Name = name
	}
	for _, r := range c.Rules {
		holds, err := r.holds(claims)
		if err != nil {
			return Person{}, err
		}
		if holds {
			p.Role, p.Org = r.Role, r.Org
			return p, nil
		}
	}
	return Person{}, refusal(fmt.Sprintf("%s is known to %s, and has no role here: none of the rules of this host names a group or claim of theirs", p.Name, c.Name))
}

// holds reports whether a rule holds of somebody.
//
// Security: a list is a list: a text that a group's name is somewhere in, or that is
// the name, names no group, and a list with anything but texts is none. An address
// counts only where the provider says that it is theirs.
func (r Rule) holds(claims map[string]json.RawMessage) (bool, error) {
	raw, there := claims[r.Claim]
	if !there {
		return false, nil
	}
	if r.Has != "" {
		all, ok := read[[]string](raw)
		if !ok {
			return false, refusal(fmt.Sprintf("the claim %q is no list of texts, and was to be one", r.Claim))
		}
		return slices.Contains(all, r.Has), nil
	}
	text, ok := read[string](raw)
	if !ok {
		return false, refusal(fmt.Sprintf("the claim %q is no text, and was to be one", r.Claim))
	}
	if r.Claim == "email" {
		verified, ok := read[bool](claims["email_verified"])
		return ok && verified && text == r.Is, nil
	}
	return text == r.Is, nil
}

// read reads a claim that has to be of a type; null and what is not there are of none.
func read[T any](raw json.RawMessage) (v T, ok bool) {
	if len(raw) == 0 || string(raw) == "null" {
		return v, false
	}
	if list, ok := any(&v).(*[]string); ok { // of which null would be the empty text
		var all []*string
		if json.Unmarshal(raw, &all) != nil || slices.Contains(all, nil) {
			return v, false
		}
		for _, one := range all {
			*list = append(*list, *one)
		}
		return v, true
	}
	return v, json.Unmarshal(raw, &v) == nil
}
