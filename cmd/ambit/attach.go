package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/keep"
)

// leaveKey is what is typed to leave a session's terminal: Ctrl-].
const leaveKey = 0x1d

// jobAt is where a session is kept that was started through the API.
func (a *app) jobAt(session string) (dir string, j keep.Job, err error) {
	at, err := a.keptAt(session) // which says what is no session
	if err != nil {
		return "", j, err
	}
	dir = filepath.Join(filepath.Dir(filepath.Dir(at)), "host", "sessions", session)
	j, err = keep.Load(dir)
	return dir, j, err
}

// attachKept prints what a session writes that was started through the API, and types
// into its terminal, if it has one. handled is false where there is none such.
func (a *app) attachKept(ctx context.Context, session string, raw, typed bool) (handled bool, err error) {
	dir, j, err := a.jobAt(session)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if state, _, err := keep.Look(dir); err != nil || state == keep.Ended || state == keep.Lost {
		return true, errors.Join(err, fmt.Errorf("the session %s has ended", session))
	}
	k := &keptAttachment{app: a, session: session, principal: j.Principal, dir: dir, p: a.newPrinter(raw), left: make(chan error, 1)}
	if at, err := endOf(dir); err != nil {
		return true, err
	} else {
		k.at = at
	}
	interactive := j.Terminal != nil && term.IsTerminal(int(a.in.Fd())) && term.IsTerminal(int(a.out.Fd()))
	switch {
	case interactive:
		stop, err := k.takeOver()
		if err != nil {
			return true, err
		}
		defer stop()
	case typed && j.Terminal == nil:
		return true, fmt.Errorf("the session %s was started without a terminal", session)
	}
	if interactive || typed {
		go k.read(ctx, interactive)
	}
	end, err := k.follow(ctx)
	if err != nil || end == nil {
		return true, err
	}
	return true, (&ending{Exit: end.Exit}).err(session)
}

// A keptAttachment is somebody at a session that was started through the API.
type keptAttachment struct {
	app *app
	dir string

	session, principal string // whose it is

	p    *printer
	at   int64      // offset of what is printed next
	left chan error // says that nobody is there any more
}

// endOf is the offset of what is written from now on.
func endOf(dir string) (at int64, err error) {
	for {
		f, err := keep.Read(dir, at)
		if errors.Is(err, io.EOF) {
			return at, nil
		}
		if err != nil {
			return at, err
		}
		at = f.Next
	}
}

// takeOver gives the session's terminal our size, and ours to it.
func (k *keptAttachment) takeOver() (stop func(), err error) {
	fd := int(k.app.in.Fd())
	was, err := term.MakeRaw(fd)
	if err != nil {
		return nil, err
	}
	k.p.safe = false // it is the program's until somebody leaves
	fmt.Fprintf(k.app.err, "ambit: at the session's terminal; Ctrl-] leaves it\r\n")
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	done := make(chan struct{})
	go func() {
		for {
			if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil && size.Row > 0 && size.Col > 0 {
				_ = keep.Resize(k.dir, keep.Size{Rows: size.Row, Columns: size.Col}) // it may have ended
			}
			select {
			case <-resized:
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(resized)
		close(done)
		_ = term.Restore(fd, was) // the terminal may be gone
	}, nil
}

// read types what comes, until somebody leaves, or there is no more.
func (k *keptAttachment) read(ctx context.Context, interactive bool) {
	writer, at, known := rand.Text(), int64(0), false
	for buf := make([]byte, 4096); ; {
		n, err := k.app.in.Read(buf)
		piece, leaves := buf[:n], false
		if i := bytes.IndexByte(piece, leaveKey); interactive && i >= 0 {
			piece, leaves = piece[:i], true
		}
		var failed error
		if !known && len(piece) > 0 {
			known, failed = true, k.record(ctx)
		}
		if failed == nil {
			at, failed = k.types(writer, at, piece)
		}
		switch {
		case leaves:
			k.left <- nil
			return
		case errors.Is(failed, keep.ErrOver), errors.Is(err, io.EOF) && !interactive:
			return // its end is told
		case failed != nil || err != nil:
			k.left <- errors.Join(failed, err)
			return
		}
	}
}

// record records who begins to type, before anything is typed, as the API does: what
// cannot be recorded is not typed.
func (k *keptAttachment) record(ctx context.Context) error {
	r, err := audit.New(audit.CallBody{By: audit.Text(fmt.Sprintf("ambit attach, process %d", os.Getpid())), Role: "admin", Procedure: "/ambit.v1.TerminalService/WriteInput"})
	if err != nil {
		return err
	}
	r.ID, r.Principal, r.Session = audit.NewID("c"), k.principal, k.session
	if err := k.app.recordOne(ctx, r); err != nil {
		return fmt.Errorf("nothing was typed: %w", err)
	}
	return nil
}

// types types all of a piece, also where it takes time until it is read.
func (k *keptAttachment) types(writer string, at int64, piece []byte) (int64, error) {
	for len(piece) > 0 {
		next, err := keep.Type(k.dir, writer, at, piece)
		if errors.Is(err, fs.ErrNotExist) { // it is not there yet
			err = nil
		}
		if err != nil {
			return at, err
		}
		if next = max(next, at); next == at {
			time.Sleep(lookEvery)
		}
		at, piece = next, piece[next-at:]
	}
	return at, nil
}

// follow prints until the session has ended, or nobody is there any more.
func (k *keptAttachment) follow(ctx context.Context) (*keep.End, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		state, end, err := keep.Look(k.dir) // before the output is read: there is no more then
		if err == nil {
			err = k.show()
		}
		switch {
		case err != nil:
			return nil, err
		case state == keep.Ended:
			return &end, k.p.flush()
		case state == keep.Lost:
			return nil, errors.New("what looked after the session was killed")
		}
		select {
		case err := <-k.left:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

func (k *keptAttachment) show() error {
	p := k.p
	for {
		f, err := keep.Read(k.dir, k.at)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		k.at = f.Next
		if f.Lost > 0 {
			fmt.Fprintf(k.app.err, "ambit: some %d bytes before this are not kept any more\r\n", f.Lost)
		}
		if err := p.print(f.Data); err != nil {
			return err
		}
	}
}
