package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/enforce"
)

// question makes of a touch what a person is asked. It fails where a yes could
// not be kept, with why.
func (t *toucher) question(ctx context.Context, touch enforce.Touch, r decision.Request, o enforce.Object) (approval.Question, error) {
	want, _ := t.s.manifest.Declares(r.Capability)
	q := approval.Question{ID: r.ID, Session: r.Subject.Session, Principal: r.Subject.Principal, Pack: r.Subject.Pack, Digest: r.Subject.Digest,
		Program: touch.Program, PID: touch.PID, Argv: bounded(touch.Argv), Capability: r.Capability, Reason: want.Reason}
	if touch.Kind == enforce.TouchListen {
		return t.portQuestion(q, touch), nil
	}
	if touch.Kind == enforce.TouchStored {
		return t.storedQuestion(q, want.Capability), nil
	}
	if touch.Alone {
		return t.aloneQuestion(q, touch, want.Capability), nil
	}
	home := t.in.HomePath
	q.Sensitive, _ = capability.Sensitive(touch.Path, home)
	exact := approval.Offer{Capability: r.Capability, Scope: approval.ScopeFile, Words: "only this file"}
	switch {
	case touch.Path == "":
		exact.Words = "any program that it can see"
	case touch.Dir:
		exact.Scope, exact.Words = approval.ScopeDir, "the directory "+capability.Printable(touch.Path)+" and what is beneath it"
	case touch.Kind == enforce.TouchRun:
		exact.Words = "only this program"
	case o.Socket:
		exact.Words = "to connect to this socket, and no other"
	}
	if q.Sensitive == "" && o.Socket {
		q.Sensitive = aService
	}
	if q.Sensitive == "" && touch.Dir {
		q.Sensitive, _ = capability.AboveSensitive(touch.Path, home)
	}
	exact.Broad = q.Sensitive != "" || r.Capability.Broad()
	if err := t.offerable(ctx, exact.Capability, o); err != nil {
		return q, err
	}
	q.Offers = []approval.Offer{exact}
	for _, wider := range []func() (approval.Offer, bool){
		func() (approval.Offer, bool) { return runOffer(q) },
		func() (approval.Offer, bool) { return dirOffer(touch, q, home) },
		func() (approval.Offer, bool) { return declaredOffer(t.s.manifest.Open, want.Capability, r.Capability) },
	} {
		offer, ok := wider()
		known := slices.ContainsFunc(q.Offers, func(other approval.Offer) bool { return other.Capability == offer.Capability })
		if ok && !known && t.offerable(ctx, offer.Capability, o) == nil {
			q.Offers = append(q.Offers, offer)
		}
	}
	if _, ok := offeredToRun(q); ok { // its answer is about both
		q.Offers[0].Words = "only this file, to read it and not to run it"
	}
	return q, nil
}

// aService is what somebody reaches who connects to a socket.
const aService = "a service of the host, which may do for the program whatever it does for you"

// dirOffer offers the directory of a file. Not of a secret: beside it lie others;
// not of a socket: those in a directory stay hidden unless they are named; and
// not a directory that is too wide to be given away with a file.
func dirOffer(touch enforce.Touch, q approval.Question, home string) (approval.Offer, bool) {
	dir := filepath.Dir(touch.Path)
	if touch.Path == "" || touch.Dir || q.Sensitive != "" || tooWide(enforce.Touch{Path: dir, Dir: true}, home) {
		return approval.Offer{}, false
	}
	if fi, err := os.Lstat(touch.Path); err != nil || fi.Mode()&os.ModeSocket != 0 {
		return approval.Offer{}, false
	}
	c, err := capability.ForPath(q.Capability.Kind(), dir)
	if err != nil {
		return approval.Offer{}, false
	}
	offer := approval.Offer{Capability: c, Scope: approval.ScopeDir, Words: "the directory " + capability.Printable(dir) + " and what is beneath it"}
	if c.Kind() == capability.ProcessSpawn {
		offer.Words = "the programs in " + capability.Printable(dir) + " and beneath it"
	}
	_, secret := capability.Sensitive(dir, home)
	_, above := capability.AboveSensitive(dir, home)
	offer.Broad = c.Broad() || secret || above
	return offer, true
}

// declaredOffer offers what the manifest declares.
func declaredOffer(open bool, want, c capability.Capability) (approval.Offer, bool) {
	if open || want.IsZero() || want == c {
		return approval.Offer{}, false
	}
	return approval.Offer{Capability: want, Scope: approval.ScopeDeclared, Words: "all that its manifest declares: " + want.Describe(),
		Broad: want.Broad() || want.Kind() != c.Kind()}, true
}

// offerable reports whether a grant of c would be one: rules do not forbid it,
// and the tier can keep closed what is denied inside.
func (t *toucher) offerable(ctx context.Context, c capability.Capability, o enforce.Object) error {
	grants, err := t.grants(ctx)
	if err != nil {
		return err
	}
	in := decision.Input{Manifest: t.s.manifest, Grants: grants, Policy: t.s.policy, Now: t.s.app.now()}
	d := decision.Decide(decision.Request{Subject: t.s.subject, Capability: c, CanAsk: true}, in)
	if d.Outcome == decision.Deny {
		return fmt.Errorf("%s", reason(d))
	}
	objects, err := t.reaches(c, o)
	if err != nil {
		return err
	}
	t.showing.Lock()
	defer t.showing.Unlock()
	_, err = t.arrive(c, objects, grants)
	return err
}

// maxArgv bounds the command line that a question carries.
const maxArgv = 4096

func bounded(argv []string) (words []string) {
	left := maxArgv
	for _, w := range argv {
		if left -= len(w) + 1; left < 0 {
			return append(words, "…")
		}
		words = append(words, w)
	}
	return words
}

// askExactly asks a person about a request of the network, with an offer of
// exactly that in these words, and one of what the manifest declares. q has who
// asks, where that is known. It returns why nobody answered, or "".
func (t *toucher) askExactly(ctx context.Context, r decision.Request, q approval.Question, words string) string {
	want, _ := t.s.manifest.Declares(r.Capability)
	q.ID, q.Capability, q.Reason = r.ID, r.Capability, want.Reason
	q.Session, q.Principal, q.Pack, q.Digest = r.Subject.Session, r.Subject.Principal, r.Subject.Pack, r.Subject.Digest
	q.Offers = []approval.Offer{{Capability: r.Capability, Scope: approval.ScopeFile, Words: words, Broad: r.Capability.Broad()}}
	if offer, ok := declaredOffer(t.s.manifest.Open, want.Capability, r.Capability); ok {
		q.Offers = append(q.Offers, offer)
	}
	answer, err := t.desk.Ask(ctx, q)
	switch {
	case err != nil:
		return err.Error()
	case answer.By == "":
		return answer.Text
	}
	return ""
}
