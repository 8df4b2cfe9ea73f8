package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
)

// A control serves those who want something of a session that runs. Nothing of it
// is on the way of a start: it begins when the session has run for a moment.
type control struct {
	s      *prepared
	inside enforce.Session
	tally  *session.Tally
	asks   *toucher // nil: nobody is asked
	grants func(context.Context) ([]grant.Grant, error)

	standstill standstill

	mu       sync.Mutex
	listener *net.UnixListener // guarded by mu
	dir      *os.File          // guarded by mu
	closed   bool              // guarded by mu
	over     chan struct{}     // closed when the session has ended
	end      ending            // valid then
	done     sync.WaitGroup
}

// orderTime is how long who connects may take to say what is wanted.
const orderTime = 5 * time.Second

// serve begins. Where it cannot, the session goes on without.
func (c *control) serve(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	dir, err := c.s.app.openSockets(controlDir, true)
	if err != nil {
		return
	}
	at := socketIn(dir, c.s.subject.Session)
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: at, Net: "unixpacket"})
	if err == nil {
		err = os.Chmod(at, 0o600)
	}
	if err != nil {
		_ = dir.Close() // nothing was written by it
		return
	}
	c.dir, c.listener = dir, l
	c.done.Go(func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return
			}
			c.done.Go(func() {
				defer conn.Close() //nolint:errcheck // what it had to say was sent
				c.answer(ctx, conn)
			})
		}
	})
}

// close ends it when the session has ended: whoever waits hears of the end.
func (c *control) close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed = true
	close(c.over)
	if c.listener != nil {
		_ = c.listener.Close() // and removes the socket
	}
	c.mu.Unlock()
	c.done.Wait()
	if c.dir != nil {
		_ = os.Remove(c.mark()) // it was not paused
		_ = c.dir.Close()       // nothing was written by it
	}
}

// answer serves one connection.
func (c *control) answer(ctx context.Context, conn *net.UnixConn) {
	w := controlConn{conn}
	_ = conn.SetDeadline(time.Now().Add(orderTime))
	var first struct{}
	files, err := w.receive(&first) // of which nothing is looked at yet
	defer func() { closeAll(files) }()
	if err != nil || len(files) == 0 {
		return
	}
	pid, err := ours(conn)
	if err != nil {
		_ = w.send(controlAnswer{Error: err.Error()}) // who is refused need not hear it
		return
	}
	var o order
	if err := fromMemory(files[0], &o); err != nil {
		_ = w.send(controlAnswer{Error: err.Error()}) // it may have gone away
		return
	}
	_ = conn.SetDeadline(time.Time{})
	ctx = o.ordered(ctx)
	var failed error
	if o.Verb == verbExec || o.Verb == verbOpen || o.Verb == verbFiles || o.Verb == verbSnapshot {
		failed = c.stands()
	}
	if failed == nil {
		failed = c.carry(ctx, w, pid, o, files)
	}
	if failed != nil {
		_ = w.send(controlAnswer{Error: failed.Error()}) // it may have gone away
	}
}

// carry carries an order out.
func (c *control) carry(ctx context.Context, w controlConn, pid int, o order, files []*os.File) error {
	switch o.Verb {
	case verbExec:
		return c.exec(ctx, w, pid, o, files[1:])
	case verbOpen:
		return c.open(ctx, w, pid, o)
	case verbFiles:
		return c.files(ctx, w, pid, o.Job, files[1:])
	case verbWait:
		return w.wait(c.over, &c.end)
	case verbShow:
		return c.show(w)
	case verbSnapshot:
		return c.snapshot(ctx, w, pid)
	case verbPause:
		return c.pause(ctx, w, pid)
	case verbResume:
		return c.resume(ctx, w, pid)
	}
	return fmt.Errorf("this session does not know %q: its ambit is another version", o.Verb)
}

// entryID is what names the record of a program that is started in a session.
var entryID = regexp.MustCompile(`^x-[a-z2-7]{10}$`)

// exec starts a program and looks after it until it has ended.
//
// Security: whether it may be started is decided as for the session's own programs,
// and recorded, before anything of it is there. Who goes away without a word, by
// being killed too, ends what was started.
func (c *control) exec(ctx context.Context, w controlConn, pid int, o order, files []*os.File) error {
	if len(o.Args) == 0 {
		return errors.New("no command to start")
	}
	if o.ID != "" && !entryID.MatchString(o.ID) {
		return fmt.Errorf("%q is no id of a record such as %s", o.ID, audit.NewID("x"))
	}
	dir := o.Dir
	if dir == "" {
		dir = c.s.spec.Plan.Program.Dir
	}
	id, line, err := c.mayStart(ctx, o.Args[0], dir, pid)
	if err != nil {
		return err
	}
	if line != "" {
		return w.send(controlAnswer{Denied: line})
	}
	entered := cmp.Or(o.ID, audit.NewID("x"))
	if err := c.recordAs(ctx, entered, audit.EnterBody{Argv: audit.Texts(o.Args), Dir: audit.Text(dir), Decision: id, PID: pid}); err != nil {
		return err
	}
	stdio, master, err := c.stdio(o, files)
	if err != nil {
		return errors.Join(err, c.left(ctx, audit.LeaveBody{Exec: entered, Exit: exitFailed, Error: audit.Text(err.Error())}))
	}
	cmd := enforce.Command{Args: o.Args, Dir: dir, Env: c.environment(o, dir, master != nil), Files: stdio.files, Terminal: master != nil}
	e, err := enforce.Enter(c.inside, c.s.tier.name, cmd)
	stdio.close()
	if err == nil {
		err = w.begin(master)
	} else {
		closeAll(master)
	}
	if err != nil {
		if e != nil {
			_ = e.Signal(unix.SIGKILL) // it may have ended
			_, _ = e.Wait()            // nobody wants to know
		}
		return errors.Join(err, c.left(ctx, audit.LeaveBody{Exec: entered, Exit: exitFailed, Error: audit.Text(err.Error())}))
	}
	end, err := w.follow(e)
	if err != nil {
		return errors.Join(err, c.left(ctx, audit.LeaveBody{Exec: entered, Exit: exitFailed, Error: audit.Text(err.Error())}))
	}
	b := audit.LeaveBody{Exec: entered, Exit: end.Exit}
	if end.Errno != 0 {
		b.Error = audit.Text(syscall.Errno(end.Errno).Error())
	}
	if err := c.left(ctx, b); err != nil {
		return err
	}
	return w.send(controlAnswer{Ended: end})
}

// left records how a program that was started in the session has ended. The session
// may have been told to end meanwhile: that is recorded too.
func (c *control) left(ctx context.Context, b audit.LeaveBody) error {
	return c.record(context.WithoutCancel(ctx), b)
}

// begin says that a program has begun, and hands over its terminal's other end.
func (w controlConn) begin(master []*os.File) error {
	defer closeAll(master)
	return w.send(controlAnswer{Began: true}, master...)
}

// follow passes signals on until the program has ended.
func (w controlConn) follow(e enforce.Entered) (*ending, error) {
	var over atomic.Bool
	go func() {
		for {
			var s sign
			files, err := w.receive(&s)
			closeAll(files)
			if over.Load() {
				return
			}
			if err != nil {
				_ = e.Signal(unix.SIGKILL) // it may have ended
				return
			}
			_ = e.Signal(syscall.Signal(s.Signal)) // as above
		}
	}()
	res, err := e.Wait()
	over.Store(true)
	if err != nil {
		return nil, err
	}
	end := &ending{Exit: res.Exit}
	if errno, ok := errors.AsType[syscall.Errno](res.CannotExec); ok {
		end.Errno = int(errno)
	}
	return end, nil
}

// wait says how the session has ended, when it has.
func (w controlConn) wait(over <-chan struct{}, end *ending) error {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		var nothing struct{}
		files, _ := w.receive(&nothing) // it ends when who waits goes away
		closeAll(files)
	}()
	select {
	case <-gone:
		return nil
	case <-over:
		return w.send(controlAnswer{Ended: end})
	}
}

// record makes a record of this session durable.
func (c *control) record(ctx context.Context, b audit.Body) error {
	return c.recordAs(ctx, audit.NewID("x"), b)
}

func (c *control) recordAs(ctx context.Context, id string, b audit.Body) error {
	rec, err := audit.New(b)
	if err != nil {
		return err
	}
	rec.ID, rec.Session, rec.Principal, rec.Pack, rec.Trace = id, c.s.spec.ID, c.s.spec.Principal, c.s.spec.Pack, orderedBy(ctx)
	if _, err := c.s.Append(ctx, rec); err != nil {
		return fmt.Errorf("it could not be recorded: %w", err)
	}
	return nil
}
