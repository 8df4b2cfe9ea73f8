package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/learn"
)

// byLearning is the origin of grants that the rule of learning made.
const byLearning = "learn"

// A learner answers first touches by a rule, in the place of people, and
// remembers what was used. It goes the way of every touch: the toucher asks the
// gate, the rule's answer becomes a grant of this session, and the gate is asked
// again.
type learner struct {
	s       *prepared
	t       *toucher
	flags   *learnFlags
	out     *output
	base    learn.Base
	rule    learn.Rule
	allowed []string // the person's own --allow
	hidden  []string // secrets in the folder of the manifest

	mu      sync.Mutex
	given   map[capability.Capability]learn.Touch // guarded by mu; what was given for what was asked
	trail   []learn.Touch                         // guarded by mu
	near    map[string]int                        // guarded by mu; files that were given, by directory
	refused map[string]refusal                    // guarded by mu; by capability
	denied  map[capability.Capability]bool        // guarded by mu; programs
	started map[capability.Capability]bool        // guarded by mu; programs
	forked  bool                                  // guarded by mu; there was a second process

	// hearing is never held while something is looked up: what is heard by it must
	// not wait.
	hearing sync.Mutex
	links   map[string]bool   // guarded by hearing; that were followed
	opened  map[string]string // guarded by hearing; programs that were read, with who read them
}

var _ enforce.Observer = (*learner)(nil)

// refusal is something that was not allowed, in words.
type refusal struct {
	Capability string `json:"capability"`
	Why        string `json:"why"`
	ID         string `json:"id"` // for `ambit why`
}

// Touched answers a touch and remembers it.
func (l *learner) Touched(ctx context.Context, touch enforce.Touch) enforce.Answer {
	touch.Alone = false // a new name in a home is refused
	if err := l.deny(ctx, touch); err != nil {
		return enforce.Answer{}
	}
	answer := l.t.Touched(ctx, touch)
	if !answer.Allow {
		return answer
	}
	c, err := touched(touch, l.base.Home)
	if err != nil {
		return enforce.Answer{} // it was the same before
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch given, ok := l.given[c]; {
	case c.Kind() == capability.ProcessSpawn && c.Scope() == "":
		l.forked = true // which programs it starts is told by Started
	case ok:
		given.Program = touch.Program
		l.trail = append(l.trail, given)
	default: // covered by what was given before
		l.trail = append(l.trail, learn.Touch{Capability: c, Dir: touch.Dir, Name: touch.Create, Program: touch.Program, Count: 1})
	}
	return answer
}

// answer answers a question by the rule.
//
// Security: what it allows is a grant for this session, recorded before it can
// be used; the gate decides anew with it, and policy and denials come first.
func (l *learner) answer(ctx context.Context, touch enforce.Touch, r decision.Request, _ enforce.Object) (approval.Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := learn.Touch{Capability: r.Capability, Dir: touch.Dir, Name: touch.Create, Program: touch.Program, Count: 1}
	dir := filepath.Dir(touch.Path)
	a := l.rule.Answer(t, learn.Object{Special: touch.Path != "" && special(touch.Path), Near: l.near[dir]})
	if !a.Allow {
		return approval.Answer{Question: r.ID, Text: a.Why}, nil
	}
	for _, p := range a.Hide {
		c, err := capability.ForPath(capability.FSRead, p)
		if err == nil {
			err = l.t.give(ctx, l.grant(c, grant.Deny, "it may hold secrets"))
		}
		if err != nil {
			return approval.Answer{}, err
		}
	}
	if err := l.t.give(ctx, l.grant(a.Grant, grant.Allow, a.Why)); err != nil {
		return approval.Answer{}, err
	}
	l.given[r.Capability] = t.Given(a)
	if !touch.Dir {
		l.near[dir]++
	}
	return approval.Answer{Question: r.ID, Outcome: grant.Allow, Capability: a.Grant, Span: grant.Session, By: "ambit learn: " + a.Why}, nil
}

// deny denies a program that the rule refuses: to start programs at all was
// allowed, so the gate would not ask about it.
func (l *learner) deny(ctx context.Context, touch enforce.Touch) error {
	if touch.Kind != enforce.TouchRun || touch.Path == "" {
		return nil
	}
	c, err := capability.ForPath(capability.ProcessSpawn, touch.Path)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.rule.Answer(learn.Touch{Capability: c}, learn.Object{})
	if a.Allow || l.denied[c] {
		return nil
	}
	l.denied[c] = true
	return l.t.give(ctx, l.grant(c, grant.Deny, a.Why))
}

// grant makes a grant of an answer.
func (l *learner) grant(c capability.Capability, o grant.Outcome, why string) grant.Grant {
	who := l.s.subject
	return grant.Grant{ID: audit.NewID("g"), Principal: who.Principal, Pack: who.Pack, Digest: who.Digest, Capability: c, Outcome: o,
		Lifespan: grant.Lifespan{Span: grant.Session, Session: who.Session}, Origin: byLearning, Reason: why, Created: l.s.app.now().UTC()}
}

// NotShown forgets what was allowed and could not be shown.
func (l *learner) NotShown(ctx context.Context, touch enforce.Touch, cause error) {
	touch.Alone = false
	l.t.NotShown(ctx, touch, cause)
	c, err := touched(touch, l.base.Home)
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	given := l.given[c].Capability
	for i, t := range slices.Backward(l.trail) {
		if was := t.Capability; was == c || was == given {
			l.trail = slices.Delete(l.trail, i, i+1)
			return
		}
	}
}

// Started remembers a program that was started. To start programs at all was
// decided before; which ones it came to is put to the gate as well, so that the
// log has it.
func (l *learner) Started(t enforce.Touch) {
	touch := learn.Touch{Program: t.Program, Count: 1}
	var err error
	if t.Path == "" {
		touch.Name = "programs of its own making"
		touch.Capability, err = capability.Parse(string(capability.ProcessSpawn))
	} else {
		touch.Capability, err = capability.ForPath(capability.ProcessSpawn, t.Path)
	}
	if err != nil {
		return // the kernel has no such path
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.started[touch.Capability] {
		r := decision.Request{ID: audit.NewID("d"), Subject: l.s.subject, Capability: touch.Capability, Why: doing(t)}
		r.Subject.Program = t.Program
		l.t.check(context.Background(), l.t.gate, r) // refused or not, the view has it: masks are made of the same rules
	}
	l.started[touch.Capability] = true
	l.trail = append(l.trail, touch)
}

// Linked remembers a link that was followed.
func (l *learner) Linked(path string) {
	l.hearing.Lock()
	defer l.hearing.Unlock()
	l.links[path] = true
}

// Opened remembers that a program was read: where only some may be started, the
// others are not there to be read either.
func (l *learner) Opened(t enforce.Touch) {
	if !slices.ContainsFunc(l.base.Hidden, func(dir string) bool { return under(t.Path, dir) }) || t.Dir {
		return
	}
	l.hearing.Lock()
	defer l.hearing.Unlock()
	if l.opened[t.Path] == "" {
		name, _ := os.ReadFile("/proc/" + strconv.Itoa(t.PID) + "/comm") // it may be gone
		l.opened[t.Path] = strings.TrimSuffix(string(name), "\n")
	}
}

// refuse remembers what was not allowed.
func (l *learner) refuse(c, why, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.refused[c]; !ok {
		l.refused[c] = refusal{c, why, id}
	}
}
