package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// told is what came with the answer of a session to an order: files, which are the
// caller's.
func (a *app) told(ctx context.Context, session string, o order) ([]*os.File, error) {
	_, files, err := a.replied(ctx, session, o)
	return files, err
}

// replied is what a session answers to an order, and the files that came with it.
func (a *app) replied(ctx context.Context, session string, o order) (r controlAnswer, files []*os.File, err error) {
	w, err := a.reach(ctx, session, o)
	if err != nil {
		return r, nil, err
	}
	defer w.c.Close() //nolint:errcheck // all was said
	files, err = w.receive(&r)
	switch {
	case err != nil:
		err = fmt.Errorf("the session %s ended meanwhile: %w", session, err)
	case r.Errno != 0:
		err = syscall.Errno(r.Errno)
	default:
		err = r.err()
	}
	if err != nil {
		closeAll(files)
		return r, nil, err
	}
	return r, files, nil
}

// reach connects to a session that runs, and says what is wanted of it.
func (a *app) reach(ctx context.Context, session string, o order, files ...*os.File) (controlConn, error) {
	dir, err := a.openSockets(controlDir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return controlConn{}, a.unreachable(ctx, session)
	}
	if err != nil {
		return controlConn{}, fmt.Errorf("find the session %s: %w", shellWord(session), err)
	}
	defer dir.Close()
	if session == "" || strings.ContainsRune(session, '/') || session[0] == '.' {
		return controlConn{}, a.unreachable(ctx, session)
	}
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: socketIn(dir, session), Net: "unixpacket"})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return controlConn{}, a.unreachable(ctx, session)
	case errors.Is(err, unix.ECONNREFUSED):
		_ = os.Remove(socketIn(dir, session)) // what looked after it was killed
		_ = os.Remove(socketIn(dir, session) + pausedMark)
		return controlConn{}, a.unreachable(ctx, session)
	case err != nil:
		return controlConn{}, fmt.Errorf("reach the session %s: %w", shellWord(session), err)
	}
	if _, err := ours(c); err != nil {
		return controlConn{}, errors.Join(fmt.Errorf("reach the session %s: %w", shellWord(session), err), c.Close())
	}
	o.Trace = a.trace().parent.String()
	text, err := inMemory(o)
	if err != nil {
		return controlConn{}, errors.Join(err, c.Close())
	}
	defer text.Close()
	w := controlConn{c}
	if err := w.send(struct{}{}, append([]*os.File{text}, files...)...); err != nil {
		return controlConn{}, errors.Join(err, c.Close())
	}
	return w, nil
}

// unreachable says why a session cannot be reached.
func (a *app) unreachable(ctx context.Context, session string) error {
	if _, err := a.toStop(ctx, []string{session}); err != nil {
		return err
	}
	return fmt.Errorf("the session %s cannot be reached: what looks after it does not answer", session)
}

// err is what an answer says of a failure.
func (r controlAnswer) err() error {
	switch {
	case r.Denied != "":
		return &exitError{status: exitDenied, err: errors.New(strings.TrimPrefix(r.Denied, "ambit: "))}
	case r.Error != "":
		return errors.New(r.Error)
	}
	return nil
}
