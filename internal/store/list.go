package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// List is an open list of sessions and questions. It is safe for use by many goroutines.
type List struct{ *line }

// OpenList opens the list at path, and makes it if there is no file. The folder
// must be there. What was noted beside it is taken in.
func (d *Database) OpenList(path string) (*List, error) {
	l, err := d.open(FileList, path)
	if err != nil {
		return nil, fmt.Errorf("open list of sessions %q: %w", path, err)
	}
	return &List{l}, nil
}

// TakeIn moves what was noted beside the list into it, as opening it does.
func (l *List) TakeIn(ctx context.Context) error { return l.call(ctx, nil, AskTakeIn) }

// Sessions returns all sessions, oldest first. One that has not ended but whose
// process is gone has the status Lost.
func (l *List) Sessions(ctx context.Context) ([]Session, error) {
	all, err := rows(ctx, l.line, (*Session).Fields, AskList)
	if err != nil {
		return nil, fmt.Errorf("read sessions from %q: %w", l.path, err)
	}
	return all, nil
}

// AddApproval keeps a question of this process. ErrExists if there is one with
// its id.
func (l *List) AddApproval(ctx context.Context, a Approval) (err error) {
	if a.Asked.IsZero() || !a.Expires.After(a.Asked) || a.Capability.IsZero() {
		err = errors.New("it needs a capability, a time, and a later one at which it expires")
	}
	if err == nil {
		a.Keeper = os.Getpid()
		process := ProcessOf(a.Keeper)
		err = l.call(ctx, nil, AskPut, append(a.Fields(), &process)...)
	}
	if err != nil {
		return fmt.Errorf("add question %q to %q: %w", a.ID, l.path, err)
	}
	return nil
}

// Approvals returns the questions that were not closed, oldest first: those that
// wait, those that were answered this moment, and those whose time is over or
// that nobody waits for any more.
func (l *List) Approvals(ctx context.Context) ([]Approval, error) {
	all, err := rows(ctx, l.line, (*Approval).Fields, AskWaiting)
	if err != nil {
		return nil, fmt.Errorf("read questions from %q: %w", l.path, err)
	}
	return all, nil
}

// Stamp is another text after each change of the list, and takes four system calls: the
// counter of changes in SQLite's header, which each transaction writes
// (https://www.sqlite.org/fileformat.html, 1.3.7), and how long the file is in which changes
// are noted that are to be taken in. It is "" where it cannot be read.
//
// It is read without SQLite's locks, so that a change may still be on its way: who sees
// another one asks, and waits for it.
func (l *List) Stamp() string {
	f, err := os.Open(l.path)
	if err != nil {
		return ""
	}
	defer f.Close()
	var counter [4]byte
	if _, err := f.ReadAt(counter[:], 24); err != nil {
		return ""
	}
	info, err := os.Lstat(notesPath(l.path))
	if errors.Is(err, os.ErrNotExist) {
		return string(counter[:]) // nothing waits
	}
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d %d", counter[:], info.Size(), info.ModTime().UnixNano())
}

// Approval returns one question, or ErrNotFound.
func (l *List) Approval(ctx context.Context, id string) (Approval, error) {
	a, err := one(ctx, l.line, (*Approval).Fields, AskOne, &id)
	if err == nil && a.ID != id {
		err = errOther
	}
	if err != nil {
		return Approval{}, fmt.Errorf("read question %q from %q: %w", id, l.path, err)
	}
	return a, nil
}

// AnswerApproval gives the answer to a question that waits. Of two who answer
// one alone sees nil, the other ErrAnswered. The error is ErrEnded if it was
// closed, ErrExpired, ErrWithdrawn or ErrNotFound.
//
// Security: the answer names one of the offers, or what was asked. Whoever asked
// compares again.
func (l *List) AnswerApproval(ctx context.Context, id string, ans Answer, at time.Time) error {
	if err := l.call(ctx, nil, AskAnswer, append(append([]any{&id}, ans.Fields()...), &at)...); err != nil {
		return fmt.Errorf("answer question %q in %q: %w", id, l.path, err)
	}
	return nil
}

// CloseApproval ends a question: with ans, or for a reason in words if ans is
// nil. If another process has answered, that answer stands and is returned.
func (l *List) CloseApproval(ctx context.Context, id string, ans *Answer, text string, at time.Time) (stands *Answer, err error) {
	stands, err = one(ctx, l.line, func(a **Answer) []any { return []any{MaybeAnswer(a)} }, AskClose, &id, MaybeAnswer(&ans), &text, &at)
	if err != nil {
		return nil, fmt.Errorf("close question %q in %q: %w", id, l.path, err)
	}
	return stands, nil
}
