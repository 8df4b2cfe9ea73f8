package main

import (
	"errors"
	"slices"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/manifest"
)

// of says what policies may ask about a run beside its requests.
func (m *managed) of(signer, tier string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.about.Signer, m.about.Tier = signer, tier
}

// signerOf is who signed the pack with an id, "" if nobody did, or nobody knows.
func (a *app) signerOf(id string) string {
	if id == "" {
		return ""
	}
	packs, err := a.packs()
	if err != nil {
		return ""
	}
	o, _, err := packs.Owner(id)
	if err != nil {
		return ""
	}
	return o.Signer
}

// askPolicy asks managed policy about all that a launch rests on, also about what it
// has without a request: what a command without a pack may start, and a pack's folder.
// What of that is forbidden becomes a request, which is denied.
func (s *prepared) askPolicy() error {
	if !s.managed.Rules() {
		return nil
	}
	var all []decision.Request
	for _, q := range s.questions {
		all = append(all, q.requests...)
	}
	implied := s.implied()
	for _, c := range implied {
		all = append(all, decision.Request{Subject: s.subject, Capability: c})
	}
	if err := s.managed.prefetch(all); err != nil {
		return err
	}
	for _, c := range implied {
		r := decision.Request{ID: audit.NewID("d"), Subject: s.subject, Capability: c, Why: "what every run has"}
		why, err := s.managed.Forbids(r)
		if err != nil {
			return err
		}
		if why != nil {
			s.named[c] = true
			s.questions = append(s.questions, questions{manifest: manifest.Manifest{Open: true}, requests: []decision.Request{r}})
		}
	}
	return nil
}

// launchable is an error where a first policy has come since the launch was decided: that,
// and the view, were made without.
func (s *prepared) launchable() error {
	if s.ruled || !s.managed.look() {
		return nil
	}
	return errors.New("managed policy: it came while this launch was prepared; start it again")
}

// implied is what a run has without a request.
func (s *prepared) implied() (all []capability.Capability) {
	c, err := capability.Parse(string(capability.ProcessSpawn))
	if s.packDir != "" {
		c, err = capability.ForPath(capability.FSRead, s.packDir)
	}
	if err != nil {
		return nil // both are capabilities
	}
	return []capability.Capability{c}
}

// managedHoles are what managed policy closes inside of what is shown.
func (s *prepared) managedHoles(effective []capability.Capability) ([]capability.Capability, error) {
	if s.managed == nil || !s.managed.Rules() {
		return nil, nil
	}
	return s.managed.mask(slices.Concat(effective, s.implied()), s.subject)
}

// ruled reports whether managed policy has changed, so that what a session has is
// decided anew. While it cannot be used, what was granted stays, and everything else
// is denied.
func (r *rechecker) ruled() bool {
	if r.s.managed == nil {
		return false
	}
	changed, err := r.s.managed.changed()
	if err != nil {
		if changed && !r.unusable {
			printf(r.s.app.err, "ambit: %v; nothing else is allowed until it can be used\n", err)
		}
		r.unusable = true
		return false
	}
	was := r.unusable
	r.unusable = false
	return changed || was
}
