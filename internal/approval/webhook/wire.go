package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// version is that of both bodies.
const version = 1

// maxBody bounds what is read of a response.
const maxBody = 64 << 10

// Bounds of a command line in a question.
const (
	maxWords = 64
	maxWord  = 1000
)

// encode is the body of a question.
func encode(q approval.Question, nonce string) ([]byte, error) {
	q.Argv = bounded(q.Argv)
	return json.Marshal(struct {
		Version  int               `json:"version"`
		Nonce    string            `json:"nonce"`
		Question approval.Question `json:"question"`
	}{version, nonce, q})
}

// bounded shortens a command line in the middle, as its words.
func bounded(argv []string) []string {
	var words []string
	for i, w := range argv {
		switch {
		case len(argv) > maxWords && i == maxWords/2:
			words = append(words, "…")
		case len(argv) > maxWords && i > maxWords/2 && i < len(argv)-maxWords/2:
		default:
			words = append(words, approval.Shorten(capability.Printable(w), maxWord))
		}
	}
	return words
}

// reply is the body of an answer.
type reply struct {
	Version  int       `json:"version"`
	Question string    `json:"question"` // its id
	Nonce    string    `json:"nonce"`
	Outcome  string    `json:"outcome"` // "allow", "deny"
	Scope    string    `json:"scope"`   // "file", "run", "dir", "declared", or the capability of an offer
	For      string    `json:"for"`     // "once", "session", "until", "always"
	Until    time.Time `json:"until"`   // with "until"
	Broad    bool      `json:"broad"`   // what reaches far is meant
	By       string    `json:"by"`      // who said so, for the record
}

// maxBy bounds the name of whoever answered.
const maxBy = 100

// decode reads an answer to q.
//
// Security: the body was signed. What it says is still held to what was offered,
// and every word that is not known is refused: a service that is of another
// opinion about the protocol grants nothing by mistake.
func decode(body []byte, q approval.Question, nonce string) (approval.Answer, error) {
	var r reply
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return approval.Answer{}, fmt.Errorf("read the answer: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return approval.Answer{}, errors.New("read the answer: expected nothing after it")
	}
	switch {
	case r.Version != version:
		return approval.Answer{}, fmt.Errorf("the answer has version %d, want %d", r.Version, version)
	case r.Question != q.ID || r.Nonce != nonce:
		return approval.Answer{}, errReplayed
	}
	a := approval.Answer{By: approval.Shorten(capability.Printable(r.By), maxBy)}
	var err error
	if a.Outcome, err = outcome(r.Outcome); err != nil {
		return approval.Answer{}, err
	}
	if a.Span, a.Until, err = span(r); err != nil {
		return approval.Answer{}, err
	}
	if r.Scope == "" && a.Outcome != grant.Allow {
		return a, nil // exactly what was asked
	}
	for _, o := range q.Offers {
		if r.Scope == string(o.Scope) || r.Scope == o.Capability.Display() {
			a.Capability = o.Capability
			if (o.Broad || o.Capability.Broad() || q.Sensitive != "") && a.Outcome == grant.Allow && !r.Broad {
				return approval.Answer{}, fmt.Errorf("%s reaches far, and the answer does not say that it is meant (broad)", o.Capability.Display())
			}
			return a, nil
		}
	}
	return approval.Answer{}, fmt.Errorf("the answer's scope %q was not offered", capability.Printable(r.Scope))
}

func outcome(text string) (grant.Outcome, error) {
	switch text {
	case grant.Allow.String():
		return grant.Allow, nil
	case grant.Deny.String():
		return grant.Deny, nil
	}
	return grant.Deny, fmt.Errorf("the answer's outcome is %q, want allow or deny", capability.Printable(text))
}

func span(r reply) (grant.Span, time.Time, error) {
	timed := !r.Until.IsZero()
	for _, s := range []grant.Span{grant.Once, grant.Session, grant.Until, grant.Always} {
		if s.String() == r.For {
			if timed != (s == grant.Until) {
				return 0, time.Time{}, errors.New("the answer needs a time with for=until, and with nothing else")
			}
			return s, r.Until, nil
		}
	}
	return 0, time.Time{}, fmt.Errorf("the answer is for %q, want once, session, until or always", capability.Printable(r.For))
}
