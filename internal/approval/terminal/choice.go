package terminal

import (
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// choice is one answer that can be given.
type choice struct {
	key     key
	short   string // where there is one line for all
	words   string
	outcome grant.Outcome
	span    grant.Span
}

// choices are the answers, the safe one first.
var choices = []choice{
	{'n', "no", "No", grant.Deny, grant.Once},
	{'v', "never", "Never", grant.Deny, grant.Always},
	{'o', "once", "Yes, once", grant.Allow, grant.Once},
	{'s', "session", "Yes, for this session", grant.Allow, grant.Session},
	{'u', "until", "Yes, until", grant.Allow, grant.Until},
	{'a', "always", "Yes, always", grant.Allow, grant.Always},
}

// terms are what "until" can be; the key goes from one to the next.
var terms = []struct {
	words string
	lasts time.Duration
}{
	{"in an hour", time.Hour},
	{"in 8 hours", 8 * time.Hour},
	{"tomorrow", 24 * time.Hour},
	{"in 7 days", 7 * 24 * time.Hour},
	{"in 30 days", 30 * 24 * time.Hour},
}

// until is when the chosen term ends.
func (s *sheet) until() time.Time { return s.now.Add(terms[s.term].lasts).Truncate(time.Minute) }

// stored says exactly what an answer leaves behind.
func (s *sheet) stored() string {
	c := choices[s.choice]
	what := c.outcome.String() + " " + s.texts.scopes[s.at] + " to " + s.texts.whom
	switch c.span {
	case grant.Session:
		return what + ", until the program ends"
	case grant.Until:
		return what + ", until " + s.until().Format("2006-01-02 15:04")
	case grant.Always:
		return what + ", until you revoke it"
	case grant.Once:
	}
	if c.outcome != grant.Allow {
		return "nothing; until the program ends it is not asked again"
	}
	return what + ", until the program ends: what is shown by it stays so long"
}

// answer is the one that is chosen.
func (s *sheet) answer() approval.Answer {
	c := choices[s.choice]
	a := approval.Answer{Outcome: c.outcome, Span: c.span, By: name, Capability: s.offer().Capability}
	if c.outcome != grant.Allow && c.span == grant.Once {
		a.Capability = capability.Capability{} // exactly what was asked
	}
	if c.span == grant.Until {
		a.Until = s.until()
	}
	return a
}

// refused is the answer of whoever wants no choice.
func refused() approval.Answer { return approval.Answer{By: name} }

// strong reports whether yes has to be typed.
func (s *sheet) strong() bool {
	o := s.offer()
	return choices[s.choice].outcome == grant.Allow && (o.Broad || o.Capability.Broad() || s.q.Sensitive != "")
}
