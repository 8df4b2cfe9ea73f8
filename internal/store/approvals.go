package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
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

const approvalColumns = "id, session, principal, pack, digest, program, pid, argv, capability, reason, sensitive, offers, asked, expires, " +
	"keeper, process, outcome, scope, span, until, answered_by, closed, closed_text"

// AddApproval keeps a question of this process. ErrExists if there is one with
// its id.
func (s *List) AddApproval(ctx context.Context, a Approval) error {
	offers, err := json.Marshal(a.Offers)
	if err == nil && (a.Asked.IsZero() || !a.Expires.After(a.Asked) || a.Capability.IsZero()) {
		err = errors.New("it needs a capability, a time, and a later one at which it expires")
	}
	if err == nil {
		err = s.change(ctx, func(tx *sql.Tx) error {
			// What was left by sessions that were killed is over, too.
			if _, err := tx.ExecContext(ctx, "UPDATE approvals SET closed = expires, closed_text = 'left behind' WHERE closed IS NULL AND expires < ?",
				fromTime(a.Asked.Add(-time.Hour))); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO approvals ("+approvalColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, NULL, '')",
				a.ID, a.Session, a.Principal, a.Pack, a.Digest, []byte(a.Program), a.PID, joinArgv(a.Argv), a.Capability.Display(), a.Reason, a.Sensitive,
				string(offers), fromTime(a.Asked), fromTime(a.Expires), os.Getpid(), process(os.Getpid()))
			return exists(err)
		})
	}
	if err != nil {
		return fmt.Errorf("add question %q to %q: %w", a.ID, s.path, err)
	}
	return nil
}

// Approvals returns the questions that were not closed, oldest first: those that
// wait, those that were answered this moment, and those whose time is over or
// that nobody waits for any more.
func (s *List) Approvals(ctx context.Context) ([]Approval, error) {
	all, err := s.approvals(ctx)
	if err != nil {
		return nil, fmt.Errorf("read questions from %q: %w", s.path, err)
	}
	return all, nil
}

func (s *List) approvals(ctx context.Context) (all []Approval, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+approvalColumns+" FROM approvals WHERE closed IS NULL ORDER BY asked, id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		a, err := readApproval(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// Approval returns one question, or ErrNotFound.
func (s *List) Approval(ctx context.Context, id string) (Approval, error) {
	a, err := approval(ctx, s.db, id)
	if err != nil {
		return Approval{}, fmt.Errorf("read question %q from %q: %w", id, s.path, err)
	}
	return a, nil
}

func approval(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, id string) (Approval, error) {
	a, err := readApproval(q.QueryRowContext(ctx, "SELECT "+approvalColumns+" FROM approvals WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return Approval{}, ErrNotFound
	}
	return a, err
}

// AnswerApproval gives the answer to a question that waits. Of two who answer
// one alone sees nil, the other ErrAnswered. The error is ErrEnded if it was
// closed, ErrExpired, ErrWithdrawn or ErrNotFound.
//
// Security: the answer names one of the offers, or what was asked. Whoever asked
// compares again.
func (s *List) AnswerApproval(ctx context.Context, id string, ans Answer, at time.Time) error {
	err := s.change(ctx, func(tx *sql.Tx) error {
		a, err := approval(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case a.Answer != nil:
			return ErrAnswered
		case !a.Closed.IsZero():
			return ErrEnded
		case a.Withdrawn:
			return ErrWithdrawn
		case !at.Before(a.Expires):
			return ErrExpired
		}
		if err := a.fits(ans); err != nil {
			return err
		}
		return answer(ctx, tx, id, ans)
	})
	if err != nil {
		return fmt.Errorf("answer question %q in %q: %w", id, s.path, err)
	}
	return nil
}

// fits refuses an answer that the question does not have.
func (a Approval) fits(ans Answer) error {
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

func answer(ctx context.Context, tx *sql.Tx, id string, a Answer) error {
	_, err := tx.ExecContext(ctx, "UPDATE approvals SET outcome = ?, scope = ?, span = ?, until = ?, answered_by = ? WHERE id = ?",
		a.Outcome.String(), a.Capability.Display(), a.Span.String(), fromTime(a.Until), a.By, id)
	return err
}

// CloseApproval ends a question: with ans, or for a reason in words if ans is
// nil. If another process has answered, that answer stands and is returned.
func (s *List) CloseApproval(ctx context.Context, id string, ans *Answer, text string, at time.Time) (stands *Answer, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		a, err := approval(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !a.Closed.IsZero():
			return ErrEnded
		case at.IsZero():
			return errors.New("it needs a time")
		}
		if stands = a.Answer; stands != nil {
			text = ""
		} else if ans != nil {
			stands, text = ans, ""
			if err := answer(ctx, tx, id, *ans); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "UPDATE approvals SET closed = ?, closed_text = ? WHERE id = ?", fromTime(at), text, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("close question %q in %q: %w", id, s.path, err)
	}
	return stands, nil
}

// readApproval reads one row, strictly.
func readApproval(row interface{ Scan(...any) error }) (Approval, error) {
	var a Approval
	var program, argv []byte
	var text, offers, was string
	var asked, expires, until, closed sql.NullInt64
	var outcome, scope, span, by sql.NullString
	err := row.Scan(&a.ID, &a.Session, &a.Principal, &a.Pack, &a.Digest, &program, &a.PID, &argv, &text, &a.Reason, &a.Sensitive, &offers,
		&asked, &expires, &a.Keeper, &was, &outcome, &scope, &span, &until, &by, &closed, &a.Text)
	if err != nil {
		return Approval{}, err
	}
	a.Program, a.Asked, a.Expires, a.Closed = string(program), toTime(asked), toTime(expires), toTime(closed)
	a.Withdrawn = !closed.Valid && was != "" && process(a.Keeper) != was
	a.Capability, err = readCapability(text)
	if err == nil {
		a.Argv, err = splitArgv(argv)
	}
	if err == nil {
		a.Offers, err = readOffers(offers)
	}
	if err == nil && outcome.Valid {
		a.Answer, err = readAnswer(outcome.String, scope.String, span.String, by.String, until)
	}
	if err != nil {
		return Approval{}, fmt.Errorf("question %q: %w", a.ID, err)
	}
	return a, nil
}

func readAnswer(outcome, scope, span, by string, until sql.NullInt64) (*Answer, error) {
	o, err1 := word(outcome, grant.Deny, grant.Allow)
	sp, err2 := word(span, grant.Once, grant.Session, grant.Until, grant.Always)
	c, err3 := readCapability(scope)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return &Answer{Outcome: o, Capability: c, Span: sp, Until: toTime(until), By: by}, nil
}

// readCapability reads a capability that has to be written as it is.
func readCapability(text string) (capability.Capability, error) {
	c, err := capability.Parse(text)
	if err == nil && c.Display() != text {
		err = fmt.Errorf("the capability %q is not written as %q", text, c.Display())
	}
	return c, err
}

// readOffers reads a list of offers that is written as AddApproval writes it.
func readOffers(text string) (offers []Offer, err error) {
	if err := json.Unmarshal([]byte(text), &offers); err != nil {
		return nil, fmt.Errorf("its offers: %w", err)
	}
	if again, err := json.Marshal(offers); err != nil || string(again) != text {
		return nil, errors.New("its offers are not written as ambit writes them")
	}
	return offers, nil
}

// joinArgv writes arguments as the kernel keeps them (proc_pid_cmdline(5)): any
// byte but NUL, which ends each.
func joinArgv(argv []string) []byte {
	var b []byte
	for _, w := range argv {
		b = append(append(b, w...), 0)
	}
	if b == nil {
		return []byte{}
	}
	return b
}

func splitArgv(b []byte) ([]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	text, ok := strings.CutSuffix(string(b), "\x00")
	if !ok {
		return nil, errors.New("its arguments are cut off")
	}
	return strings.Split(text, "\x00"), nil
}
