package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
	"ambit.dev/ambit/internal/store"
)

// defaultAskTimeout is how long a question waits where nothing else was said.
const defaultAskTimeout = 5 * time.Minute

// Ways to ask.
const (
	askAuto  = "auto"  // tty on a terminal, none elsewhere
	askNone  = "none"  // nobody is asked; what was not granted is not there
	askTTY   = "tty"   // the terminal shows the question, and so does `ambit approvals`
	askRule  = "rule"  // nobody is asked: the rule of `ambit learn` answers
	askQueue = "queue" // `ambit approvals` shows the question, and others answer it
)

// Ways to hear of a first touch. What can be reached is the same.
const (
	askByTrap         = "trap"         // a file system, through /dev/fuse
	askByNotification = "notification" // the system call filter holds every look at a file
)

// readAsk checks how people are to be asked.
func (f *runFlags) readAsk() error {
	switch {
	case !slices.Contains([]string{askAuto, askNone, askTTY, askQueue}, f.ask):
		return fmt.Errorf("--ask %q: want %s, %s, %s or %s", f.ask, askAuto, askTTY, askQueue, askNone)
	case f.askBy != askByTrap && f.askBy != askByNotification:
		return fmt.Errorf("--ask-by %q: want %s or %s", f.askBy, askByTrap, askByNotification)
	case f.askTimeout < 0:
		return fmt.Errorf("--ask-timeout %s: want a time such as 5m, or 0 to ask nobody", f.askTimeout)
	}
	return nil
}

// asks reports whether first touches are asked about.
func (f *runFlags) asks() bool { return f.ask == askTTY || f.ask == askQueue || f.ask == askRule }

// quietPlaces are where every program of the system looks around: nobody is asked
// about reading there, it is not there. What a manifest declares beneath is asked
// about.
func (s *prepared) quietPlaces(in enforce.Input) (places []string) {
	if !in.Ask || s.flags.ask == askRule { // what a program looks at is learned
		return nil
	}
	declared := func(place string) bool {
		return slices.ContainsFunc(s.manifest.Wants, func(w manifest.Want) bool {
			pattern, ok := w.Capability.Pattern()
			return ok && (under(pattern.Root(), place) || under(place, pattern.Root()))
		})
	}
	places = slices.DeleteFunc([]string{"/etc", "/run", "/sys"}, declared)
	if len(s.manifest.Zones) > 0 { // one that is not there was not granted when the session began
		places = append(places, manifest.ZonesAt)
	}
	return places
}

// quietSockets are those that the C library and others try to connect to
// whatever a program does: nobody is asked about them.
var quietSockets = []string{"/run/nscd", "/run/systemd", "/run/avahi-daemon", "/run/samba/winbindd", "/var/lib/sss", "/run/dbus/system_bus_socket"}

// goesUnasked reports whether a touch is of such a socket, and no manifest
// declares it.
func (s *prepared) goesUnasked(touch enforce.Touch) bool {
	beneath := func(place string) bool { return under(touch.Path, place) }
	if !touch.Socket || s.flags.ask == askRule || !slices.ContainsFunc(quietSockets, beneath) {
		return false
	}
	return !slices.ContainsFunc(s.manifest.Wants, func(w manifest.Want) bool {
		pattern, ok := w.Capability.Pattern()
		return ok && under(touch.Path, pattern.Root())
	})
}

// asksToSpawn reports whether a pack may ask to start a second program.
func (s *prepared) asksToSpawn(in enforce.Input) bool {
	if s.flags.ask == askRule {
		return true // which programs are started is learned
	}
	spawn, err := capability.Parse(string(capability.ProcessSpawn))
	_, declared := s.manifest.Declares(spawn)
	return in.Ask && s.packDir != "" && err == nil && declared
}

// asksToRun are the programs that a pack names and was not granted: they can be
// asked about. One that is not there cannot be started either.
func (s *prepared) asksToRun(in enforce.Input) (objects []enforce.Object) {
	if !in.Ask || s.packDir == "" {
		return nil
	}
	for _, w := range s.manifest.Wants {
		pattern, scoped := w.Capability.Pattern()
		path, literal := pattern.Literal()
		if w.Capability.Kind() != capability.ProcessSpawn || !scoped || !literal || slices.Contains(in.Effective, w.Capability) {
			continue
		}
		if found, err := s.spawned(path); err == nil {
			objects = append(objects, found...)
		}
	}
	return objects
}

// asking says whom the questions of a session go to.
func (s *prepared) asking(t *toucher) approval.Config {
	c := approval.Config{Timeout: s.flags.askTimeout, Keep: t.keep, Settled: t.settled, Now: s.app.now, Failed: func(front string, err error) {
		t.say(func() { printf(s.app.err, "ambit: %s cannot be asked: %s\n", front, capability.Printable(err.Error())) })
	}}
	if s.flags.asks() && s.flags.ask != askRule {
		c.Fronts, c.Queue = s.fronts, &queue{s.sessions, t.tally}
	}
	return c
}

// A queue keeps questions in the list of sessions, where other processes see and
// answer them.
type queue struct {
	list  *lister
	tally *session.Tally
}

func (u *queue) Put(ctx context.Context, q approval.Question) error {
	row := store.Approval{ID: q.ID, Session: q.Session, Principal: q.Principal, Pack: q.Pack, Digest: q.Digest, Program: q.Program, PID: q.PID,
		Argv: q.Argv, Capability: q.Capability, Reason: q.Reason, Sensitive: q.Sensitive, Offers: []store.Offer{}, Asked: q.Asked, Expires: q.Expires}
	for _, o := range q.Offers {
		row.Offers = append(row.Offers, store.Offer{Capability: o.Capability, Scope: string(o.Scope), Words: o.Words, Broad: o.Broad})
	}
	err := u.list.do(true, func(l *store.List) error { return l.AddApproval(ctx, row) })
	if err == nil {
		u.tally.Asked(q.Capability.Kind())
	}
	return err
}

// Stamp says whether the list was changed, so that many questions that wait cost no
// process of the store a look each.
func (u *queue) Stamp() (stamp string) {
	_ = u.list.do(true, func(l *store.List) error { // without one it is looked
		stamp = l.Stamp()
		return nil
	})
	return stamp
}

func (u *queue) Answer(ctx context.Context, id string) (a approval.Answer, answered bool, err error) {
	var row store.Approval
	err = u.list.do(true, func(l *store.List) (err error) {
		row, err = l.Approval(ctx, id)
		return err
	})
	switch {
	case err != nil:
		return a, false, err
	case row.Answer != nil:
		return answerOf(row.Answer), true, nil
	case !row.Closed.IsZero():
		return a, false, errors.New("somebody has closed the question")
	}
	return a, false, nil
}

func (u *queue) Close(ctx context.Context, id string, a approval.Answer, at time.Time) (earlier approval.Answer, answered bool, err error) {
	var mine, stands *store.Answer
	if a.By != "" {
		mine = &store.Answer{Outcome: a.Outcome, Capability: a.Capability, Span: a.Span, Until: a.Until, By: a.By}
	}
	err = u.list.do(true, func(l *store.List) (err error) {
		stands, err = l.CloseApproval(ctx, id, mine, a.Text, at)
		return err
	})
	if err != nil || stands == nil || stands == mine {
		return approval.Answer{}, false, err
	}
	return answerOf(stands), true, nil
}

func answerOf(a *store.Answer) approval.Answer {
	return approval.Answer{Outcome: a.Outcome, Capability: a.Capability, Span: a.Span, Until: a.Until, By: a.By}
}
