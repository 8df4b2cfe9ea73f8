package main

import (
	"context"
	"errors"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/enforce"
)

// worth reports whether a touch is worth deciding, or is known to be refused:
// for what was denied in this session, and when too much was denied of late,
// only a grant that was made since makes a difference. done is to be called when
// it is decided: until then it may be a denial, and takes the room of one. Without
// that every thread that came by found the same room.
func (t *toucher) worth(ctx context.Context, k known, c capability.Capability) (worth bool, done func()) {
	t.mu.Lock()
	fresh := !t.refused[k] && t.room.any(t.s.app.now(), t.deciding)
	if fresh {
		t.deciding++
	}
	t.mu.Unlock()
	if fresh {
		return true, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.deciding--
		}
	}
	done = func() {}
	grants, err := t.grants(ctx)
	if err != nil {
		return false, done
	}
	in := t.s.judged(grants)
	if k.socket {
		in = t.s.naming(k.path, grants)
	}
	return decision.Decide(decision.Request{Subject: t.s.subject, Capability: c}, in).Outcome == decision.Allow, done
}

// refuse remembers a denial. It reports whether it is the first of its kind: of
// many who waited for one answer, one tells of it.
func (t *toucher) refuse(k known, remember bool) (first bool) {
	t.tally.Denied(k.kind)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.room.take(t.s.app.now())
	if !remember || t.refused[k] {
		return !t.refused[k]
	}
	if len(t.refused) >= maxRefused {
		for old := range t.refused {
			delete(t.refused, old)
			break
		}
	}
	t.refused[k] = true
	return true
}

// denied ends a touch that the gate denied, and tells.
func (t *toucher) denied(k known, c capability.Capability, v verdict) {
	if !t.refuse(k, !v.busy) {
		return
	}
	why, fix := reason(v.d), ""
	if v.said != "" {
		why = capability.Printable(v.said)
	}
	if len(v.d.Reasons) > 0 {
		switch v.d.Reasons[0].Rule {
		case decision.NotGranted:
			if v.said == "" {
				why = string(decision.NotGranted)
			}
			fix = " allow: ambit approve " + v.d.Request
		case decision.Denied:
			fix = " to change it: ambit grants revoke " + shellWord(v.d.Reasons[0].Grant)
		default:
		}
	}
	if v.said != "" || !t.quietly(c) { // whoever was asked hears of it
		t.tell(c, why, v.d.Request, fix)
	}
}

// tell prints the line of a denial.
func (t *toucher) tell(c capability.Capability, why, id, fix string) {
	switch {
	case t.s.heard != nil:
		t.s.heard(c.Display(), why, id)
		return
	case t.s.app.json:
		return
	}
	t.say(func() { printf(t.s.app.err, "ambit: denied %s (%s) [%s]%s\n", c.Display(), why, id, fix) })
}

// quietly reports whether programs touch such things all the time. While a
// manifest is learned all is heard.
func (t *toucher) quietly(c capability.Capability) bool {
	pattern, ok := c.Pattern()
	path, literal := pattern.Literal()
	return t.s.heard == nil && (c.IsZero() || ok && literal && t.s.quiet(enforce.Denial{Kind: string(c.Kind()), Target: path}))
}

// stopped refuses what never came before the gate, or could not be shown though
// it was allowed: it is recorded as a denial of the sandbox, by the id that is
// returned.
func (t *toucher) stopped(ctx context.Context, k known, touch enforce.Touch, c capability.Capability, cause error) (id string) {
	t.refuse(k, true)
	rec, err := audit.New(audit.DenialBody{Layer: t.s.spec.Plan.Tier, Program: audit.Text(touch.Program), PID: touch.PID, Action: touch.Call,
		Capability: audit.Text(c.Display()), Object: audit.Text(touch.Path), Count: 1, Text: audit.Text(cause.Error())})
	if err == nil {
		rec.ID, rec.Session, rec.Principal, rec.Pack = audit.NewID("d"), t.s.subject.Session, t.s.subject.Principal, t.s.subject.Pack
		_, err = t.s.Append(ctx, rec)
	}
	if err != nil {
		printf(t.s.app.err, "ambit: a denial could not be recorded: %v\n", err)
		return ""
	}
	if (!errors.Is(cause, errTooWide) || k.kind == capability.FSWrite) && !t.quietly(c) { // looking at a home is no news
		t.tell(c, capability.Printable(cause.Error()), rec.ID, "")
	}
	return rec.ID
}

// room bounds how many denials of touches are recorded: a program that tries
// everything must not fill the disk, nor keep others from being asked for ever.
type room struct {
	at   time.Time
	left float64
}

// roomSize denials are recorded at once, and one more for each second.
const roomSize = 1000

// any reports whether there is room beside that which is kept for others.
func (r *room) any(now time.Time, kept int) bool {
	if since := now.Sub(r.at).Seconds(); since > 0 {
		r.left = min(roomSize, r.left+since)
	}
	r.at = now
	return r.left-float64(kept) >= 1
}

func (r *room) take(now time.Time) {
	if r.any(now, 0) {
		r.left--
	}
}
