package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/inside"
)

// looks is what looks after files of a session.
func (a *app) looks(ctx context.Context, session string) (looker, error) {
	r, files, err := a.replied(ctx, session, order{Verb: verbFiles})
	closeAll(files)
	if err != nil {
		return nil, err
	}
	if r.Within {
		return within{a, ctx, session}, nil
	}
	return a.opened(ctx, session), nil
}

// within has orders carried out in a session of which nothing that is open comes out.
type within struct {
	a       *app
	ctx     context.Context
	session string
}

// A talk is what is passed on while an order is carried out; nil: nothing.
type talk struct {
	in  func(io.Writer) error // what goes in
	out func(io.Reader) error // what comes out
}

// job has an order carried out, and says what came of it.
//
// Security: what answers is a program in the session, which others there may have taken
// over: it is heard for as long as it says what can be, and believed nothing.
func (w within) job(o inside.Order, t talk) (r inside.Result, err error) {
	if err := absoluteIn(string(o.Path)); err != nil {
		return r, err
	}
	ours, theirs, err := pipes()
	if err != nil {
		return r, err
	}
	defer closeAll(ours[:])
	conn, err := w.a.reach(w.ctx, w.session, order{Verb: verbFiles, Job: &o}, theirs[:]...)
	closeAll(theirs[:])
	if err != nil {
		return r, err
	}
	defer conn.c.Close() //nolint:errcheck // it ends with what was started, or that with it
	var began controlAnswer
	files, err := conn.receive(&began)
	closeAll(files)
	if err != nil {
		return r, fmt.Errorf("the session %s ended meanwhile: %w", w.session, err)
	}
	if err := began.err(); err != nil {
		return r, err
	}
	return t.pass(ours)
}

// pipes makes what goes in, what comes out, and what is said of it.
func pipes() (ours, theirs [3]*os.File, err error) {
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours[:i])
			closeAll(theirs[:i])
			return ours, theirs, err
		}
		if ours[i], theirs[i] = r, w; i == 0 {
			ours[i], theirs[i] = w, r
		}
	}
	return ours, theirs, nil
}

// pass passes on both ways until it is said what came of it.
func (t talk) pass(ours [3]*os.File) (r inside.Result, err error) {
	fed := make(chan error, 1)
	go func() {
		var err error
		if t.in != nil {
			err = t.in(ours[0])
		}
		fed <- errors.Join(err, ours[0].Close())
	}()
	said := make(chan error, 1)
	go func() {
		var err error
		r, err = inside.ReadResult(ours[2])
		said <- err
	}()
	var taken error
	if t.out != nil {
		taken = t.out(ours[1])
	}
	_ = ours[1].Close() // who writes on ends
	err = <-said
	if taken != nil && !errors.Is(taken, io.ErrUnexpectedEOF) {
		return r, taken // which ended what was inside, before it could say anything
	}
	if err == nil {
		err = r.Failed(capability.Printable)
	}
	if err != nil {
		return r, err // which says why the others could not go on; who feeds may wait for more
	}
	return r, errors.Join(taken, <-fed)
}

func (w within) List(name, after string, limit int) (inside.Page, error) {
	r, err := w.job(inside.Order{Op: inside.OpList, Path: []byte(name), After: []byte(after), Limit: limit}, talk{})
	if err == nil && len(r.Page.Entries) > limit {
		return inside.Page{}, errors.New("the session lists more than was asked for")
	}
	if r.Page.Entries == nil {
		r.Page.Entries = []inside.Entry{}
	}
	return r.Page, err
}

func (w within) Stat(name string) (inside.Entry, error) {
	r, err := w.job(inside.Order{Op: inside.OpStat, Path: []byte(name)}, talk{})
	return r.Entry, err
}

func (w within) Read(name string, to io.Writer, offset, length int64) (inside.Copied, error) {
	var n int64
	r, err := w.job(inside.Order{Op: inside.OpRead, Path: []byte(name), Offset: offset, Length: length}, talk{out: func(from io.Reader) (err error) {
		n, err = io.Copy(to, from)
		return err
	}})
	if err == nil && n != r.Copied.Bytes {
		err = fmt.Errorf("%d bytes of %s came, and the session says %d", n, shellWord(name), r.Copied.Bytes)
	}
	return r.Copied, err
}

func (w within) Write(name string, from io.Reader) (int64, error) {
	r, err := w.job(inside.Order{Op: inside.OpWrite, Path: []byte(name)}, talk{in: func(to io.Writer) error { return inside.Feed(to, from) }})
	return r.Copied.Bytes, err
}

func (w within) Remove(name string, folder bool) error {
	_, err := w.job(inside.Order{Op: inside.OpRemove, Path: []byte(name), Folder: folder}, talk{})
	return err
}

func (w within) RemoveAll(name string) (int, error) {
	r, err := w.job(inside.Order{Op: inside.OpRemove, Path: []byte(name), All: true}, talk{})
	return r.Files, err
}

func (w within) Mkdir(name string) error {
	_, err := w.job(inside.Order{Op: inside.OpMkdir, Path: []byte(name)}, talk{})
	return err
}

// out copies out of the session.
func (w within) out(c *inside.Copier, from string, to inside.Spot) error {
	r, err := w.job(inside.Order{Op: inside.OpOut, Path: []byte(from)}, talk{out: func(in io.Reader) error { return c.Take(in, from, to) }})
	c.Left = append(c.Left, r.Left...)
	return err
}

// in copies into the session.
func (w within) in(c *inside.Copier, src *os.File, shown, to string) error {
	sent := &inside.Copier{} // of a goroutine that may go on after an error
	r, err := w.job(inside.Order{Op: inside.OpIn, Path: []byte(to)}, talk{in: func(out io.Writer) error { return sent.Send(src, shown, out) }})
	c.Left = r.Left
	if err == nil {
		c.Left = append(c.Left, sent.Left...)
	}
	c.Files, c.Bytes = r.Files, r.Bytes
	return err
}
