package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"ambit.dev/ambit/internal/store/wire"
)

// Bounds of what is waited for.
const (
	answering = time.Minute // an answer; locks of others are waited for, and the disk
	givingUp  = time.Second // what came of a request that was given up
	closing   = 10 * time.Second
)

// errOther is the error of an answer to something else.
var errOther = errors.New("ambit-store gave an answer to something else")

// A line is one open file: a socket to the process that has it open. One request
// after the other goes over it, as one change after the other goes into a file.
//
// A request that is given up, or goes wrong other than by an answer, ends the
// line: what it came to is not known. The next request opens the file again.
type line struct {
	db   *Database
	file int
	path string

	turn   chan struct{} // holds one; who takes it may use the rest
	conn   *wire.Conn    // nil while the file is not open
	beside *beside       // where conn leads
	closed bool
}

// open opens a file, which is made if it is not there.
func (d *Database) open(file int, path string) (*line, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	l := &line{db: d, file: file, path: path, turn: make(chan struct{}, 1)}
	if err := l.dial(true); err != nil {
		return nil, err
	}
	l.turn <- struct{}{}
	return l, nil
}

// dial opens the file. One that was open before and is gone is not made anew:
// nothing would stand in it.
func (l *line) dial(first bool) error {
	conn, beside, err := l.db.attach(filepath.Dir(l.path))
	if err != nil {
		return err
	}
	l.conn, l.beside = conn, beside
	version := Version
	//nolint:forbidigo // opening has no context; the other side's busy timeout bounds it
	ctx := context.Background()
	if err := l.ask(ctx, nil, AskOpen, &version, &l.file, &l.path, &first); err != nil {
		l.drop()
		return err
	}
	return nil
}

// call puts a request. row gets each row of the answer.
func (l *line) call(ctx context.Context, row func(fields []byte) error, kind byte, fields ...any) error {
	select {
	case <-l.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { l.turn <- struct{}{} }()
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.closed {
		return errors.New("it was closed")
	}
	if l.conn != nil && l.beside.over() { // it was asked nothing that was not answered
		l.drop()
	}
	if l.conn == nil {
		if err := l.dial(false); err != nil {
			return err
		}
	}
	return l.ask(ctx, row, kind, fields...)
}

// ask sends a request and reads its answer. Where the request is given up the
// other side is told, and still says what came of it.
func (l *line) ask(ctx context.Context, row func(fields []byte) error, kind byte, fields ...any) error {
	conn := l.conn
	if err := conn.SetReadDeadline(time.Now().Add(answering)); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		_ = conn.CloseWrite() // where that is gone, reading says so
		_ = conn.SetReadDeadline(time.Now().Add(givingUp))
	})
	err := conn.Send(kind, fields...)
	if err == nil {
		err = l.answer(row)
	}
	var said *failure
	if err != nil && !errors.As(err, &said) {
		err = l.beside.lost(err)
	}
	given := !stop()
	if given && err != nil {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if given || err != nil && said == nil {
		l.drop()
	}
	return err
}

// answer reads what is said to one request.
func (l *line) answer(row func(fields []byte) error) error {
	for {
		kind, fields, err := l.conn.Receive()
		switch {
		case err != nil:
			return err
		case kind == SayRow && row != nil:
			if err := row(fields); err != nil {
				return err
			}
		case kind == SayDone:
			return wire.Read(fields)
		case kind == SayError:
			said := &failure{}
			if err := wire.Read(fields, said.fields()...); err != nil {
				return err
			}
			return said
		default:
			return errOther
		}
	}
}

// drop ends the line.
func (l *line) drop() {
	if l.conn != nil {
		_ = l.conn.CloseWrite() // a process that was cloned meanwhile may have a copy of it
		_ = l.conn.Close()
		l.conn = nil
		l.db.release(l.beside)
	}
}

// Close ends the use of the file.
func (l *line) Close() error {
	<-l.turn
	defer func() { l.turn <- struct{}{} }()
	l.closed = true
	if l.conn == nil {
		return nil
	}
	defer l.drop()
	err := l.conn.CloseWrite()
	if err == nil {
		err = l.conn.SetReadDeadline(time.Now().Add(closing))
	}
	if err == nil {
		err = l.answer(nil)
	}
	if err != nil {
		return fmt.Errorf("close %q: %w", l.path, err)
	}
	return nil
}

// rows puts a request whose answer is any number of values.
func rows[T any](ctx context.Context, l *line, fields func(*T) []any, kind byte, ask ...any) (all []T, err error) {
	err = l.call(ctx, func(row []byte) error {
		var v T
		if err := wire.Read(row, fields(&v)...); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	}, kind, ask...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// one puts a request whose answer is one value.
func one[T any](ctx context.Context, l *line, fields func(*T) []any, kind byte, ask ...any) (v T, err error) {
	all, err := rows(ctx, l, fields, kind, ask...)
	switch {
	case err != nil:
		return v, err
	case len(all) != 1:
		return v, errOther
	}
	return all[0], nil
}
