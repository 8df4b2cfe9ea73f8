package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

const approvalColumns = "id, session, principal, pack, digest, program, pid, argv, capability, reason, sensitive, offers, asked, expires, " +
	"keeper, process, outcome, scope, span, until, answered_by, closed, closed_text"

// put keeps a question of the process that it names.
func (s *listFile) put(ctx context.Context, a store.Approval, process string) error {
	offers, err := json.Marshal(a.Offers)
	if err != nil {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		// What was left by sessions that were killed is over, too.
		if _, err := tx.ExecContext(ctx, "UPDATE approvals SET closed = expires, closed_text = 'left behind' WHERE closed IS NULL AND expires < ?",
			written(a.Asked.Add(-time.Hour))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO approvals ("+approvalColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, NULL, '')",
			a.ID, a.Session, a.Principal, a.Pack, a.Digest, []byte(a.Program), a.PID, joinArgv(a.Argv), a.Capability.Display(), a.Reason, a.Sensitive,
			string(offers), written(a.Asked), written(a.Expires), a.Keeper, process)
		return exists(err)
	})
}

// waiting returns the questions that were not closed, oldest first.
func (s *listFile) waiting(ctx context.Context) (all []store.Approval, err error) {
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

// approval returns one question.
func (s *listFile) approval(ctx context.Context, id string) (store.Approval, error) {
	return approval(ctx, s.db, id)
}

func approval(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, id string) (store.Approval, error) {
	a, err := readApproval(q.QueryRowContext(ctx, "SELECT "+approvalColumns+" FROM approvals WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return store.Approval{}, store.ErrNotFound
	}
	return a, err
}

// answer gives the answer to a question that waits.
func (s *listFile) answer(ctx context.Context, id string, ans store.Answer, at time.Time) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		a, err := approval(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case a.Answer != nil:
			return store.ErrAnswered
		case !a.Closed.IsZero():
			return store.ErrEnded
		case a.Withdrawn:
			return store.ErrWithdrawn
		case !at.Before(a.Expires):
			return store.ErrExpired
		}
		if err := a.Fits(ans); err != nil {
			return err
		}
		return answer(ctx, tx, id, ans)
	})
}

func answer(ctx context.Context, tx *sql.Tx, id string, a store.Answer) error {
	_, err := tx.ExecContext(ctx, "UPDATE approvals SET outcome = ?, scope = ?, span = ?, until = ?, answered_by = ? WHERE id = ?",
		a.Outcome.String(), a.Capability.Display(), a.Span.String(), written(a.Until), a.By, id)
	return err
}

// end closes a question. What stands is the answer of another process, else ans.
func (s *listFile) end(ctx context.Context, id string, ans *store.Answer, text string, at time.Time) (stands *store.Answer, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		a, err := approval(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !a.Closed.IsZero():
			return store.ErrEnded
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
		_, err = tx.ExecContext(ctx, "UPDATE approvals SET closed = ?, closed_text = ? WHERE id = ?", written(at), text, id)
		return err
	})
	return stands, err
}

// readApproval reads one row, strictly.
func readApproval(row interface{ Scan(...any) error }) (store.Approval, error) {
	var a store.Approval
	var program, argv []byte
	var text, offers, was string
	var asked, expires, until, closed store.Moment
	var outcome, scope, span, by sql.NullString
	err := row.Scan(&a.ID, &a.Session, &a.Principal, &a.Pack, &a.Digest, &program, &a.PID, &argv, &text, &a.Reason, &a.Sensitive, &offers,
		&asked, &expires, &a.Keeper, &was, &outcome, &scope, &span, &until, &by, &closed, &a.Text)
	if err != nil {
		return store.Approval{}, err
	}
	a.Program, a.Asked, a.Expires, a.Closed = string(program), asked.Time(), expires.Time(), closed.Time()
	a.Withdrawn = !closed.Valid && was != "" && store.ProcessOf(a.Keeper) != was
	a.Capability, err = store.ReadCapability(text)
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
		return store.Approval{}, fmt.Errorf("question %q: %w", a.ID, err)
	}
	return a, nil
}

func readAnswer(outcome, scope, span, by string, until store.Moment) (*store.Answer, error) {
	o, err1 := store.Word(outcome, grant.Deny, grant.Allow)
	sp, err2 := store.Word(span, grant.Once, grant.Session, grant.Until, grant.Always)
	c, err3 := store.ReadCapability(scope)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	return &store.Answer{Outcome: o, Capability: c, Span: sp, Until: until.Time(), By: by}, nil
}

// readOffers reads a list of offers that is written as AddApproval writes it.
func readOffers(text string) (offers []store.Offer, err error) {
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
