package store

import (
	"context"
	"errors"
	"os"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store/wire"
)

// Version of what is said. Both sides are of one build; another one, left there
// while a launcher ran, is refused.
const Version = 1

// Kinds of requests. Each is done as a whole before it is answered: no
// transaction waits for a launcher.
const (
	AskOpen    byte = iota + 1 // Version, which file, path, whether to make it: done
	AskGrants                  // principal, pack: a row for each, done
	AskAll                     // a row for each grant, done
	AskAdd                     // grant: done
	AskRevoke                  // id, time: the grant as a row, done
	AskTakeIn                  // done
	AskList                    // a row for each session, done
	AskPut                     // approval, process of its keeper: done
	AskWaiting                 // a row for each approval that was not closed, done
	AskOne                     // id: the approval as a row, done
	AskAnswer                  // id, answer, time: done
	AskClose                   // id, answer if there is one, text, time: what stands as a row, done
)

// Kinds of answers. Whatever else comes, and an end before SayDone or SayError,
// is an error of the request.
const (
	SayRow   byte = iota + 1 // one of what was asked for
	SayDone                  // nothing more comes, and what was to be done is kept
	SayError                 // cause, text
)

// Files that can be opened.
const (
	FileGrants = 1
	FileList   = 2
)

// causes are the errors that both sides know, by number. What a number means
// never changes while Version does not.
var causes = [...]error{
	1: ErrNotFound, 2: ErrRevoked, 3: ErrEnded, 4: ErrExists, 5: ErrAnswered, 6: ErrExpired, 7: ErrWithdrawn,
	8: os.ErrNotExist, 9: os.ErrPermission, 10: context.Canceled, 11: context.DeadlineExceeded,
}

// failure is an error of the other side.
type failure struct {
	cause int
	text  string
}

// Failure returns the fields of an error.
func Failure(err error) []any {
	f := failure{text: err.Error()}
	for i, c := range causes {
		if c != nil && errors.Is(err, c) {
			f.cause = i
			break
		}
	}
	return f.fields()
}

func (f *failure) fields() []any { return []any{&f.cause, &f.text} }

func (f *failure) Error() string { return f.text }

// Unwrap is what it comes down to; nil if that is its own affair.
func (f *failure) Unwrap() error {
	if f.cause > 0 && f.cause < len(causes) {
		return causes[f.cause]
	}
	return nil
}

// GrantFields are the fields of a grant in a message.
func GrantFields(g *grant.Grant) []any {
	return []any{&g.ID, &g.Principal, &g.Pack, &g.Digest, &g.Capability, &g.Outcome, &g.Lifespan.Span, &g.Lifespan.Until, &g.Lifespan.Session,
		&g.Origin, &g.Reason, &g.Created, &g.Revoked}
}

// Fields are those of a message.
func (n *Session) Fields() []any {
	return []any{&n.ID, &n.Principal, &n.Pack, &n.Digest, &n.Program, &n.PID, &n.Tier, &n.Started, &n.Ended, &n.Status}
}

// Fields are those of a message.
func (a *Approval) Fields() []any {
	return []any{&a.ID, &a.Session, &a.Principal, &a.Pack, &a.Digest, &a.Program, &a.PID,
		wire.List[string]{Of: &a.Argv, Fields: func(s *string) []any { return []any{s} }},
		&a.Capability, &a.Reason, &a.Sensitive, wire.List[Offer]{Of: &a.Offers, Fields: (*Offer).fields},
		&a.Asked, &a.Expires, &a.Keeper, MaybeAnswer(&a.Answer), &a.Closed, &a.Text, &a.Withdrawn}
}

func (o *Offer) fields() []any { return []any{&o.Capability, &o.Scope, &o.Words, &o.Broad} }

// Fields are those of a message.
func (a *Answer) Fields() []any {
	return []any{&a.Outcome, &a.Capability, &a.Span, &a.Until, &a.By}
}

// MaybeAnswer is the field of an answer that may be missing.
func MaybeAnswer(a **Answer) any { return wire.Maybe[Answer]{Of: a, Fields: (*Answer).Fields} }
