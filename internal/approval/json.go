package approval

import (
	"encoding/json"
	"fmt"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// wireQuestion is a question for other programs and processes. Texts that come
// from the sandbox are escaped as for a terminal, so that they are text.
type wireQuestion struct {
	ID         string                `json:"id"`
	Session    string                `json:"session"`
	Principal  string                `json:"principal"`
	Pack       string                `json:"pack,omitempty"`
	Digest     string                `json:"digest,omitempty"`
	Program    string                `json:"program"`
	PID        int                   `json:"pid"`
	Argv       []string              `json:"argv"`
	Capability capability.Capability `json:"capability"`
	Meaning    string                `json:"meaning"`
	Reason     string                `json:"reason,omitempty"`
	Sensitive  string                `json:"sensitive,omitempty"`
	Offers     []Offer               `json:"offers"`
	Asked      time.Time             `json:"asked"`
	Expires    time.Time             `json:"expires"`
}

// MarshalJSON writes q for programs.
func (q Question) MarshalJSON() ([]byte, error) {
	argv := make([]string, len(q.Argv))
	for i, w := range q.Argv {
		argv[i] = capability.Printable(w)
	}
	return json.Marshal(wireQuestion{q.ID, q.Session, q.Principal, capability.Printable(q.Pack), q.Digest, capability.Printable(q.Program), q.PID, argv,
		q.Capability, q.What(), capability.Printable(q.Reason), capability.Printable(q.Sensitive), q.Offers, q.Asked.UTC(), q.Expires.UTC()})
}

// UnmarshalJSON reads what MarshalJSON wrote. Texts stay escaped; capabilities
// are what they were.
func (q *Question) UnmarshalJSON(text []byte) error {
	var w wireQuestion
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*q = Question{ID: w.ID, Session: w.Session, Principal: w.Principal, Pack: w.Pack, Digest: w.Digest, Program: w.Program, PID: w.PID, Argv: w.Argv,
		Capability: w.Capability, Reason: w.Reason, Sensitive: w.Sensitive, Offers: w.Offers, Asked: w.Asked, Expires: w.Expires}
	return nil
}

// wireAnswer is what a person said, for other processes.
type wireAnswer struct {
	Outcome    string                `json:"outcome"`
	Capability capability.Capability `json:"capability,omitzero"`
	Span       string                `json:"span"`
	Until      time.Time             `json:"until,omitzero"`
	By         string                `json:"by"`
}

// MarshalJSON writes what a person said; Text, Busy and Question are the desk's.
func (a Answer) MarshalJSON() ([]byte, error) {
	return json.Marshal(wireAnswer{a.Outcome.String(), a.Capability, a.Span.String(), a.Until, a.By})
}

// UnmarshalJSON reads what MarshalJSON wrote. An unknown word is an error.
func (a *Answer) UnmarshalJSON(text []byte) error {
	var w wireAnswer
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	read := Answer{Capability: w.Capability, Until: w.Until, By: w.By, Span: grant.Always + 1}
	switch w.Outcome {
	case grant.Allow.String():
		read.Outcome = grant.Allow
	case grant.Deny.String():
	default:
		return fmt.Errorf("unknown outcome %q", w.Outcome)
	}
	for _, s := range []grant.Span{grant.Once, grant.Session, grant.Until, grant.Always} {
		if s.String() == w.Span {
			read.Span = s
		}
	}
	if read.Span > grant.Always {
		return fmt.Errorf("unknown span %q", w.Span)
	}
	*a = read
	return nil
}
