package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/wire"
)

// A line is one file that a launcher uses. One alone of grants and list is set
// once it is open.
type line struct {
	server *server
	conn   *wire.Conn
	path   string
	grants *grantsFile
	list   *listFile
}

// tell ends an answer. The error is that of sending it.
func (l *line) tell(err error) error {
	if err != nil {
		return l.conn.Send(store.SayError, store.Failure(err)...)
	}
	return l.conn.Send(store.SayDone)
}

// answer does what is asked and sends the rows of the answer.
func (l *line) answer(ctx context.Context, r request) error {
	switch {
	case r.kind == store.AskOpen:
		return l.open(ctx, r)
	case l.grants != nil:
		return l.ofGrants(ctx, r)
	case l.list != nil:
		return l.ofList(ctx, r)
	default:
		return errors.New("no file is open")
	}
}

func (l *line) open(ctx context.Context, r request) (err error) {
	var version, file int
	var path string
	var create bool
	if err := wire.Read(r.fields, &version, &file, &path, &create); err != nil || version != store.Version {
		return fmt.Errorf("%s is not of the same build as ambit", store.Program)
	}
	if l.path != "" {
		return errors.New("a file is open already")
	}
	if err := l.server.claim(ctx, path); err != nil {
		return err
	}
	switch file {
	case store.FileGrants:
		l.grants, err = openGrants(path, create)
	case store.FileList:
		l.list, err = openList(ctx, path, create)
	default:
		err = errors.New("an unknown kind of file")
	}
	if err != nil {
		l.server.unclaim(path)
		return err
	}
	l.path = path
	return nil
}

func (l *line) close() (err error) {
	switch {
	case l.grants != nil:
		err = l.grants.Close()
	case l.list != nil:
		err = l.list.Close()
	}
	l.server.unclaim(l.path)
	return err
}

// ofGrants answers what is asked of a store of grants.
func (l *line) ofGrants(ctx context.Context, r request) error {
	switch r.kind {
	case store.AskGrants:
		var principal, pack string
		if err := wire.Read(r.fields, &principal, &pack); err != nil {
			return err
		}
		all, err := read(ctx, l.grants.file, func() ([]grant.Grant, error) { return l.grants.standing(ctx, principal, pack) })
		return send(l, store.GrantFields, err, all...)
	case store.AskAll:
		all, err := read(ctx, l.grants.file, func() ([]grant.Grant, error) { return l.grants.all(ctx) })
		return send(l, store.GrantFields, err, all...)
	case store.AskAdd:
		var g grant.Grant
		if err := wire.Read(r.fields, store.GrantFields(&g)...); err != nil {
			return err
		}
		return l.grants.add(ctx, g)
	case store.AskRevoke:
		var id string
		var at time.Time
		if err := wire.Read(r.fields, &id, &at); err != nil {
			return err
		}
		g, err := l.grants.revoke(ctx, id, at)
		return send(l, store.GrantFields, err, g)
	default:
		return errUnknown
	}
}

var errUnknown = errors.New("an unknown request")

// ofList answers what is asked of a list.
func (l *line) ofList(ctx context.Context, r request) error {
	switch r.kind {
	case store.AskTakeIn:
		return l.list.takeIn(ctx)
	case store.AskList:
		all, err := read(ctx, l.list.file, func() ([]store.Session, error) { return l.list.all(ctx) })
		return send(l, (*store.Session).Fields, err, all...)
	case store.AskPut:
		var a store.Approval
		var process string
		if err := wire.Read(r.fields, append(a.Fields(), &process)...); err != nil {
			return err
		}
		return l.list.put(ctx, a, process)
	case store.AskWaiting:
		all, err := read(ctx, l.list.file, func() ([]store.Approval, error) { return l.list.waiting(ctx) })
		return send(l, (*store.Approval).Fields, err, all...)
	case store.AskOne:
		var id string
		if err := wire.Read(r.fields, &id); err != nil {
			return err
		}
		a, err := read(ctx, l.list.file, func() (store.Approval, error) { return l.list.approval(ctx, id) })
		return send(l, (*store.Approval).Fields, err, a)
	case store.AskAnswer, store.AskClose:
		return l.answerOrEnd(ctx, r)
	default:
		return errUnknown
	}
}

func (l *line) answerOrEnd(ctx context.Context, r request) error {
	var id, text string
	var at time.Time
	if r.kind == store.AskAnswer {
		var ans store.Answer
		if err := wire.Read(r.fields, append(append([]any{&id}, ans.Fields()...), &at)...); err != nil {
			return err
		}
		return l.list.answer(ctx, id, ans, at)
	}
	var ans *store.Answer
	if err := wire.Read(r.fields, &id, store.MaybeAnswer(&ans), &text, &at); err != nil {
		return err
	}
	stands, err := l.list.end(ctx, id, ans, text, at)
	return send(l, func(a **store.Answer) []any { return []any{store.MaybeAnswer(a)} }, err, stands)
}

// send sends a row for each value, unless there was an error.
func send[T any](l *line, fields func(*T) []any, err error, all ...T) error {
	for i := 0; i < len(all) && err == nil; i++ {
		err = l.conn.Send(store.SayRow, fields(&all[i])...)
	}
	return err
}
