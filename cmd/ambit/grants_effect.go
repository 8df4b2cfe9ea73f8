package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// effectWithin is how long a revocation waits for what running sessions say.
const effectWithin = time.Second

// effectSurely is how long one waits that ends sessions, for those that have said
// nothing: a busy machine is no reason to leave one running.
const effectSurely = 5 * time.Second

// A loss is what a running session no longer has.
type loss struct {
	Session string            `json:"session"`
	Effect  *audit.EffectBody `json:"effect"`
	Ended   bool              `json:"ended"` // the session was ended for it

	running store.Session
}

func (l loss) words() string {
	text := effectWords(l.Effect)
	if l.Ended {
		text += "; the session is ended"
	}
	return text
}

// effects waits for what the running sessions lose by a revocation at begin.
// Each tells in the log. surely waits longer, for those that have not.
func (a *app) effects(ctx context.Context, grants []grant.Grant, begin time.Time, surely bool) (lost []loss, err error) {
	running, err := a.concerned(ctx, grants)
	if err != nil || len(running) == 0 {
		return nil, err
	}
	dir, err := a.auditDir()
	if err != nil {
		return nil, err
	}
	for {
		lost = nil
		records, err := audit.Last(dir, -1, func(r audit.Record) bool { return r.Kind == audit.GrantEffect && !r.Time.Before(begin) })
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			i := slices.IndexFunc(running, func(s store.Session) bool { return s.ID == r.Session })
			body, err := r.Decode()
			if effect, ok := body.(*audit.EffectBody); err == nil && ok && i >= 0 {
				lost = append(lost, loss{Session: r.Session, Effect: effect, running: running[i]})
			}
		}
		last := begin.Add(effectWithin)
		if surely && !toldBy(lost, running) {
			last = begin.Add(effectSurely)
		}
		if !a.now().Before(last) {
			break
		}
		select {
		case <-ctx.Done():
			return lost, ctx.Err()
		case <-time.After(recheckEvery / 2):
		}
	}
	return lost, nil
}

// toldBy reports whether each of these sessions has lost something.
func toldBy(lost []loss, running []store.Session) bool {
	return !slices.ContainsFunc(running, func(s store.Session) bool {
		return !slices.ContainsFunc(lost, func(l loss) bool { return l.Session == s.ID })
	})
}

// concerned are the running sessions that a change of grants may concern.
func (a *app) concerned(ctx context.Context, grants []grant.Grant) ([]store.Session, error) {
	l, err := a.openList()
	if err != nil {
		return nil, err
	}
	all, err := l.Sessions(ctx)
	some := slices.DeleteFunc(all, func(s store.Session) bool {
		return s.Status != store.Running || !slices.ContainsFunc(grants, func(g grant.Grant) bool { return g.Principal == s.Principal && g.Pack == s.Pack })
	})
	return some, errors.Join(err, l.Close())
}

// maxHeld bounds how much of what is still open a record lists, and maxHeldSaid how
// much of that is said: a program can have as much open as it likes.
const (
	maxHeld     = 100
	maxHeldSaid = 10
)

// effectWords says what a session lost.
func effectWords(b *audit.EffectBody) string {
	text := capability.Printable(string(b.Capability)) + " is taken away (" + b.Reason + ")"
	if b.Policy != "" {
		text += " by " + capability.Printable(string(b.Policy))
	}
	var held []string
	for _, h := range b.Open[:min(len(b.Open), maxHeldSaid)] {
		held = append(held, capability.Printable(heldWords(h)))
	}
	if more := len(b.Open) - len(held) + b.More; more > 0 {
		held = append(held, fmt.Sprintf("and %d more", more))
	}
	if len(held) > 0 {
		text += "; still open: " + strings.Join(held, "; ")
	}
	if b.Error != "" {
		text += "; " + capability.Printable(string(b.Error))
	}
	return text
}

// heldWords is what a program still holds. One with a kernel of its own is no
// process of the host's.
func heldWords(h audit.HeldBody) string {
	if h.PID == 0 {
		return fmt.Sprintf("%s of %s, %s", h.What, h.Program, h.Path)
	}
	return fmt.Sprintf("%s of %s, process %d, %s", h.What, h.Program, h.PID, h.Path)
}
