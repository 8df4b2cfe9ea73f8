package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/enforce"
)

// asksToListen reports whether a port that the program listens on can be asked
// about: in a command without a pack any, in a pack those of its manifest.
func (s *prepared) asksToListen() bool {
	return s.manifest.Open || slices.ContainsFunc(s.wants(), func(c capability.Capability) bool { return c.Kind() == capability.NetListen })
}

// Ports of the host below which only root listens, and above which the kernel
// chooses by itself (ip(7), ip_local_port_range).
const (
	firstOpen   = 1024
	firstChosen = 32768
)

// listening is the capability for a port that the program is about to listen on;
// the zero one where it is not asked about. A port that only root has on the host
// is published by another one: 80 by 8080.
func (s *prepared) listening(inside uint16) capability.Capability {
	for _, c := range s.wants() {
		if port, _ := listenPorts(c); c.Kind() == capability.NetListen && port == inside {
			return c
		}
	}
	if !s.manifest.Open || inside >= firstChosen {
		return capability.Capability{}
	}
	text := fmt.Sprintf("%s:%d", capability.NetListen, inside)
	if inside < firstOpen {
		text += fmt.Sprintf("/%d", 8000+int(inside))
	}
	c, err := capability.Parse(text)
	if err != nil {
		return capability.Capability{}
	}
	return c
}

// listens answers a touch of a port. A no leaves the program to listen where only
// it can come.
func (t *toucher) listens(ctx context.Context, touch enforce.Touch) enforce.Answer {
	c := t.s.listening(touch.Port)
	if t.network == nil || c.IsZero() || t.network.ports.has(touch.Port) {
		return enforce.Answer{Allow: true}
	}
	k := known{kind: c.Kind(), path: c.Scope()}
	worth, done := t.worth(ctx, k, c)
	defer done()
	if !worth {
		t.tally.Denied(k.kind)
		return enforce.Answer{}
	}
	switch v := t.decide(ctx, touch, c, enforce.Object{}); {
	case v.gone:
		return enforce.Answer{}
	case v.d.Outcome != decision.Allow:
		t.denied(k, c, v)
		return enforce.Answer{}
	}
	if err := t.network.tellPort(c); err != nil {
		return enforce.Answer{Taken: errors.Is(err, errTaken)}
	}
	t.tally.Allowed(k.kind)
	return enforce.Answer{Allow: true}
}

// portQuestion is what a person is asked about a port.
func (t *toucher) portQuestion(q approval.Question, touch enforce.Touch) approval.Question {
	_, host := listenPorts(q.Capability)
	if host == 0 {
		host = touch.Port
	}
	q.Offers = []approval.Offer{{Capability: q.Capability, Scope: approval.ScopeFile,
		Words: fmt.Sprintf("programs and people of this machine, at 127.0.0.1:%d", host), Broad: q.Capability.Broad()}}
	return q
}
