package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
	"ambit.dev/ambit/internal/session"
)

// A toucher answers the first touches of one session: what is touched becomes a
// request, the gate decides, where it says Ask a person is asked, the answer
// becomes a grant, the request is put again, and what is allowed then is what
// the tier shows.
//
// Security: Allow comes from the gate alone; a person's yes goes through the
// store. What is shown was compiled by the rules of a launch. Whatever goes wrong
// refuses.
type toucher struct {
	s       *prepared
	network *network // nil: there is none
	gate    decision.Checker
	desk    *approval.Desk
	// answer answers what the gate would ask: people, or whoever stands for them.
	answer func(context.Context, enforce.Touch, decision.Request, enforce.Object) (approval.Answer, error)
	tally  *session.Tally
	say    func(func()) // prints the line of a denial when it does not disturb

	mu       sync.Mutex
	refused  map[known]bool                   // guarded by mu; denied in this session
	room     room                             // guarded by mu
	deciding int                              // guarded by mu; touches that may become denials yet
	spoken   map[capability.Capability]string // guarded by mu; to run a program, by what was answered about reading it
	used     []grant.Grant                    // guarded by mu; grants for once that this session has used
	made     []grant.Grant                    // guarded by mu; grants that end with this session

	showing sync.Mutex
	in      enforce.Input // guarded by showing: the view as it is
}

var _ enforce.Asker = (*toucher)(nil)

// known tells equal touches.
type known struct {
	kind   capability.Kind
	path   string
	socket bool
}

func knownBy(touch enforce.Touch) known {
	return known{kinds[touch.Kind], wantedPath(touch), touch.Socket}
}

// maxRefused bounds the denials that are remembered; one that is forgotten is
// decided again.
const maxRefused = 10_000

// newToucher makes the one of a launch that was prepared.
func (s *prepared) newToucher(tally *session.Tally, say func(func())) *toucher {
	t := &toucher{s: s, tally: tally, say: say, refused: map[known]bool{}, spoken: map[capability.Capability]string{}, room: room{at: s.app.now(), left: roomSize}}
	t.compiled(s.input)
	t.gate = s.gateOver(s.manifest, t.grants, s)
	t.desk = approval.New(s.asking(t))
	t.answer = t.askPeople
	return t
}

// compiled says what the view has from the start.
func (t *toucher) compiled(in enforce.Input) {
	t.showing.Lock()
	defer t.showing.Unlock()
	t.in = in
	t.in.Effective, t.in.Objects = slices.Clone(in.Effective), maps.Clone(in.Objects)
}

// Touched answers one touch.
func (t *toucher) Touched(ctx context.Context, touch enforce.Touch) enforce.Answer {
	if touch.Kind == enforce.TouchListen {
		return t.listens(ctx, touch)
	}
	touch.Alone = t.alone(ctx, touch)
	c, v := t.put(ctx, touch)
	if v.d.Outcome != decision.Allow || touch.Alone {
		return enforce.Answer{Allow: v.d.Outcome == decision.Allow, Alone: touch.Alone}
	}
	k := knownBy(touch)
	o, err := object(touch) // the answer may have taken minutes
	if err != nil {
		t.stopped(ctx, k, touch, c, err)
		return enforce.Answer{}
	}
	show, err := t.show(ctx, c, o, v.d)
	if err != nil {
		t.stopped(ctx, k, touch, c, err)
		return enforce.Answer{}
	}
	t.tally.Allowed(c.Kind())
	return enforce.Answer{Allow: true, Show: show}
}

// put has a touch decided, and tells of a denial.
func (t *toucher) put(ctx context.Context, touch enforce.Touch) (capability.Capability, verdict) {
	k := knownBy(touch)
	c, err := touched(touch, t.in.HomePath)
	worth, done := t.worth(ctx, k, c)
	defer done()
	if !worth {
		t.tally.Denied(k.kind)
		return c, verdict{said: "it was denied before in this session"}
	}
	var o enforce.Object
	if err == nil {
		o, err = object(touch)
	}
	if err != nil {
		id := t.stopped(ctx, k, touch, c, err)
		return c, verdict{d: decision.Decision{Request: id}, said: err.Error()}
	}
	v := t.decide(ctx, touch, c, o)
	if v.d.Outcome != decision.Allow && !v.gone {
		t.denied(k, c, v)
	}
	if !v.as.IsZero() {
		c = v.as
	}
	return c, v
}

// NotShown records that what was allowed is refused all the same.
func (t *toucher) NotShown(ctx context.Context, touch enforce.Touch, cause error) {
	touch.Alone = false // what is granted by its name alone is not shown by that touch
	c, err := touched(touch, t.in.HomePath)
	if err != nil {
		return // it was not allowed
	}
	t.stopped(context.WithoutCancel(ctx), knownBy(touch), touch, c, cause)
}

var kinds = map[enforce.TouchKind]capability.Kind{
	enforce.TouchRead: capability.FSRead, enforce.TouchWrite: capability.FSWrite, enforce.TouchRun: capability.ProcessSpawn}

// touched is the capability for exactly what was touched.
func touched(touch enforce.Touch, home string) (capability.Capability, error) {
	k, ok := kinds[touch.Kind]
	switch {
	case !ok:
		return capability.Capability{}, fmt.Errorf("internal error: a touch of kind %q", touch.Kind)
	case touch.Kind == enforce.TouchRun && touch.Path == "":
		return capability.Parse(string(k))
	case touch.Alone:
		return capability.ForPath(k, wantedPath(touch))
	}
	c, err := capability.ForPath(k, touch.Path)
	if tooWide(touch, home) {
		return c, errTooWide
	}
	return c, err
}

// wantedPath is what a touch is about: an object, or a name of which there is none
// yet.
func wantedPath(touch enforce.Touch) string {
	if touch.Alone {
		return filepath.Join(touch.Path, touch.Create)
	}
	return touch.Path
}

var errTooWide = errors.New("it is a home, or homes lie in it: nobody is asked about all of it; name what is needed with --allow")

// object finds what was touched anew.
//
// Security: what was shown to the person and is attached is the very object that
// the call met; another one at its path is refused.
func object(touch enforce.Touch) (enforce.Object, error) {
	if touch.Path == "" {
		return enforce.Object{}, nil
	}
	o, err := view.Resolve(touch.Path)
	if err != nil {
		return o, err
	}
	if o.Path != touch.Path || len(o.Links) > 0 || o.Dev != touch.Dev || o.Ino != touch.Ino || o.Dir != touch.Dir {
		return o, errors.New("what lies there now is not what was touched")
	}
	return o, nil
}

// tooWide reports whether a touch is of the root, of a home, or of a directory
// that homes lie in: programs look at them all the time, and a yes would give
// away everything.
func tooWide(touch enforce.Touch, home string) bool {
	p, up := touch.Path, filepath.Dir(touch.Path)
	homes := []string{"/home", "/var/home", "/Users"}
	return p != "" && touch.Dir && (p == "/" || p == "/root" || home != "" && under(home, p) ||
		slices.Contains(homes, p) || slices.Contains(homes, up))
}

// verdict is what came of a touch.
type verdict struct {
	d    decision.Decision
	said string // why it is a denial, where a person or nobody answered
	busy bool   // it was not asked about, for now
	gone bool   // nobody waits any more
	// as is the right that was decided about in the place of the one to read: to run
	// the program. Zero: there is none.
	as capability.Capability
}

// decide puts the request, and where a person has to say, asks.
func (t *toucher) decide(ctx context.Context, touch enforce.Touch, c capability.Capability, o enforce.Object) verdict {
	r := decision.Request{ID: audit.NewID("d"), Subject: t.s.subject, Capability: c, Why: doing(touch), CanAsk: !t.s.goesUnasked(touch)}
	r.Subject.Program = touch.Program
	gate := t.gateFor(touch)
	v := verdict{d: t.check(ctx, gate, r)}
	if v.d.Outcome != decision.Ask {
		v.gone = v.d.Outcome != decision.Allow && ctx.Err() != nil
		return v
	}
	if run, ok := t.mayRun(ctx, c); ok {
		r.ID, r.Capability, r.Why = audit.NewID("d"), run, r.Why+"; asked for as "+r.ID+" to read it"
		v.d, v.as = t.check(ctx, gate, r), run
		return v
	}
	if text, ok := t.spokenFor(c); ok { // the gate refuses what nobody is asked about
		v.said = text
		r.ID, r.CanAsk, r.Why = audit.NewID("d"), false, r.Why+"; "+text
		v.d = t.check(ctx, gate, r)
		return v
	}
	a, err := t.answer(ctx, touch, r, o)
	if ctx.Err() != nil {
		return verdict{gone: true}
	}
	asked := r.ID
	v.said, v.busy = said(a, err), a.Busy
	// The answer is a grant now, or is not: the same request again says. Who was
	// asked about reading a program and lets it be run has answered for both.
	if a.Allowed() && a.Capability.Kind() == capability.ProcessSpawn && c.Kind() == capability.FSRead {
		r.Capability, v.as = a.Capability, a.Capability
	}
	r.ID, r.CanAsk, r.Why = audit.NewID("d"), false, r.Why+"; asked as "+asked+": "+v.said
	if a.Question != "" && a.Question != asked {
		r.Why += " (to " + a.Question + ")"
	}
	v.d = t.check(ctx, gate, r)
	return v
}

// askPeople puts a question to people.
func (t *toucher) askPeople(ctx context.Context, touch enforce.Touch, r decision.Request, o enforce.Object) (approval.Answer, error) {
	q, err := t.question(ctx, touch, r, o)
	if err != nil {
		return approval.Answer{}, err
	}
	a, err := t.desk.Ask(ctx, q)
	if err == nil && !a.Busy && ctx.Err() == nil {
		t.speak(q, a)
	}
	return a, err
}

// said puts an answer in words.
func said(a approval.Answer, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case a.By == "":
		return a.Text
	case a.Allowed():
		return "allowed: " + a.By
	default:
		return "refused: " + a.By
	}
}

// doing says what a program was doing when it touched something.
func doing(touch enforce.Touch) string {
	text := touch.Call + " by a program of the sandbox" // where nobody tells which
	if touch.PID != 0 {
		text = touch.Call + " by " + touch.Program + " (process " + strconv.Itoa(touch.PID) + ")"
	} else if touch.Program != "" {
		text = touch.Call + " by " + touch.Program
	}
	if touch.Create != "" {
		text += ", of " + touch.Create + " in " + touch.Path
	}
	return capability.Printable(text)
}

// check has a gate answer, and uses up a grant for once that the answer rests
// on.
func (t *toucher) check(ctx context.Context, gate decision.Checker, r decision.Request) decision.Decision {
	d := gate.Check(ctx, r)
	if d.Outcome == decision.Allow {
		if err := t.useUp(ctx, d); err != nil {
			return decision.Failed(r, err)
		}
	}
	return d
}

// shown is what the view has, and by what.
func (t *toucher) shown() map[capability.Capability][]enforce.Object {
	t.showing.Lock()
	defer t.showing.Unlock()
	shown := map[capability.Capability][]enforce.Object{}
	for _, c := range t.in.Effective {
		shown[c] = t.in.Objects[c.String()]
	}
	return shown
}

// forget notes that the view has no longer what c gave. It can be asked about
// again.
func (t *toucher) forget(c capability.Capability) {
	t.showing.Lock()
	defer t.showing.Unlock()
	t.in.Effective = slices.DeleteFunc(t.in.Effective, func(e capability.Capability) bool { return e == c })
	delete(t.in.Objects, c.String())
}
