package store

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// Errors of answering a question.
var (
	ErrAnswered  = errors.New("it has been answered")
	ErrExpired   = errors.New("its time is over")
	ErrWithdrawn = errors.New("the session that asked is gone")
)

// Approval is a question that a session has put, and its answer. Texts in it
// come from the program that waits: escape them before a terminal sees them.
type Approval struct {
	ID, Session, Principal, Pack, Digest, Program string
	PID                                           int // of the program
	Argv                                          []string
	Capability                                    capability.Capability
	Reason, Sensitive                             string
	Offers                                        []Offer
	Asked, Expires                                time.Time
	Keeper                                        int // pid of the process that asks; AddApproval sets it

	Answer    *Answer   // nil while there is none
	Closed    time.Time // zero while somebody waits
	Text      string    // why it was closed without an answer
	Withdrawn bool      // nobody closed it, but the process that asked is gone
}

// Offer is what may be granted.
type Offer struct {
	Capability capability.Capability `json:"capability"`
	Scope      string                `json:"scope"`
	Words      string                `json:"words"`
	Broad      bool                  `json:"broad,omitempty"`
}

// Answer is what a person said to a question.
type Answer struct {
	Outcome    grant.Outcome
	Capability capability.Capability // one of the offers, or what was asked
	Span       grant.Span
	Until      time.Time
	By         string
}

// Fits refuses an answer that the question does not have.
func (a Approval) Fits(ans Answer) error {
	offered := slices.ContainsFunc(a.Offers, func(o Offer) bool { return o.Capability == ans.Capability })
	switch {
	case ans.By == "":
		return errors.New("it needs somebody who answers")
	case ans.Outcome > grant.Allow || ans.Span > grant.Always:
		return errors.New("unknown outcome or span")
	case !offered && (ans.Outcome == grant.Allow || ans.Capability != a.Capability):
		return fmt.Errorf("%q was not offered", ans.Capability.Display())
	}
	return nil
}
