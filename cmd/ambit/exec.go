package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func (a *app) execCommand() *cobra.Command {
	var env []string
	var dir string
	cmd := &cobra.Command{
		Use:   "exec [flags] SESSION [--] COMMAND [ARG…]",
		Short: "Start another program in a session that runs",
		Long: `Start another program in a session that runs: in its view, with its rights and its
limits, and nothing more. Whether it may be started is decided as for the session's
own programs, and recorded.

On a terminal it gets one of its own, in the session. Signals reach it, and its exit
status is ambit's, as with ambit run. When ambit exec is killed, the program ends with
all that it started; what a program that has ended left running goes on until the
session ends.`,
		Example: `  ambit exec s-7f3ak2mq5x -- sh
  ambit exec s-7f3ak2mq5x cat /proc/self/status
  ambit exec --env DEBUG=1 --dir /tmp s-7f3ak2mq5x make check`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("ambit exec needs a session (`ambit ps` lists them) and a command")
			}
			return nil
		},
		ValidArgsFunction: a.completeFirstSession,
		RunE: func(cmd *cobra.Command, args []string) error {
			argv := args[1:]
			if argv[0] == "--" {
				argv = argv[1:]
			}
			if len(argv) == 0 {
				return errors.New("no command to start")
			}
			return a.enter(cmd.Context(), args[0], order{Verb: verbExec, Args: argv, Env: setHere(env), Dir: dir, Term: os.Getenv("TERM")})
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().Var((*texts)(&env), "env", "let an environment variable through, or set it: `NAME[=VALUE]`")
	cmd.Flags().StringVar(&dir, "dir", "", "start in this `folder` of the session (default: where its program was started)")
	return cmd
}

// setHere are variables with their values: those without one have it here.
func setHere(names []string) (env []string) {
	for _, text := range names {
		if strings.Contains(text, "=") {
			env = append(env, text)
		} else if value, ok := os.LookupEnv(text); ok {
			env = append(env, text+"="+value)
		}
	}
	return env
}

// completeFirstSession completes a session, and nothing behind it.
func (a *app) completeFirstSession(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return a.completeSessions(cmd, args, word)
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
		return controlConn{}, a.unreachable(ctx, session)
	case err != nil:
		return controlConn{}, fmt.Errorf("reach the session %s: %w", shellWord(session), err)
	}
	if _, err := ours(c); err != nil {
		return controlConn{}, errors.Join(fmt.Errorf("reach the session %s: %w", shellWord(session), err), c.Close())
	}
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

// enter starts a program in a session, and is it for whoever started us.
func (a *app) enter(ctx context.Context, session string, o order) error {
	io, err := a.lend()
	if err != nil {
		return err
	}
	defer io.restore()
	o.Terminals = io.terminals
	caught := catchSignals() // before anything is there to be ended by one
	w, err := a.reach(ctx, session, o, io.hand...)
	io.handed()
	if err != nil {
		return err
	}
	defer w.c.Close() //nolint:errcheck // it has ended, or ends with it
	stop := io.signals(w, caught)
	defer stop()
	var began controlAnswer
	files, err := w.receive(&began)
	if err != nil {
		return fmt.Errorf("the session %s ended meanwhile: %w", session, err)
	}
	if err := began.err(); err != nil {
		return err
	}
	if len(files) > 0 {
		io.on(files[0])
	}
	io.began.Store(true)
	var last controlAnswer
	more, err := w.receive(&last)
	closeAll(more)
	io.drain()
	if err != nil {
		return fmt.Errorf("the session %s ended meanwhile: %w", session, err)
	}
	return errors.Join(last.err(), last.Ended.err(o.Args[0]))
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

// err is the end of a program as the end of ambit.
func (e *ending) err(program string) error {
	switch {
	case e == nil:
		return nil
	case e.Errno != 0:
		return cannotExec(program, syscall.Errno(e.Errno))
	case e.Exit != 0:
		return &exitError{status: e.Exit}
	}
	return nil
}

// A loan is what of our standard descriptors a program gets: those that are pipes
// and sockets as they are, a pipe in the place of a file, and one terminal in the
// place of ours.
type loan struct {
	app       *app
	terminals [3]bool
	hand      []*os.File              // to be handed over
	ends      []*os.File              // of those, what was made for it
	master    atomic.Pointer[os.File] // the other end of the terminal
	was       *term.State
	outs      []chan struct{}           // closed when all was passed on
	pipes     []*os.File                // that are read for it
	began     atomic.Bool               // it is there
	until     atomic.Pointer[time.Time] // when nothing is passed on any more; nil while it runs
}

// lend looks at the standard descriptors.
//
// A terminal of ours is not handed over where the program is to be worked with:
// what controls it is not in the session, and two sessions have no terminal in
// common.
func (a *app) lend() (*loan, error) {
	l := &loan{app: a}
	interactive := term.IsTerminal(int(a.in.Fd()))
	for i, f := range []*os.File{a.in, a.out, a.err} {
		switch fi, err := f.Stat(); {
		case err != nil:
			return nil, fmt.Errorf("standard descriptor %d: %w", i, err)
		case interactive && term.IsTerminal(int(f.Fd())):
			l.terminals[i] = true
		case fi.Mode().IsRegular():
			if err := l.pump(i, f); err != nil {
				return nil, err
			}
		default:
			l.hand = append(l.hand, f)
		}
	}
	return l, nil
}

// pump puts a pipe in the place of a file.
func (l *loan) pump(i int, f *os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if i == 0 {
		l.hand, l.ends = append(l.hand, r), append(l.ends, r)
		go func() {
			_, _ = io.Copy(w, f) // who does not read it to its end has had enough
			_ = w.Close()
		}()
		return nil
	}
	l.hand, l.ends, l.pipes = append(l.hand, w), append(l.ends, w), append(l.pipes, r)
	l.pass(f, r)
	return nil
}

// pass passes on what comes, until drain.
func (l *loan) pass(to io.Writer, from *os.File) {
	done := make(chan struct{})
	l.outs = append(l.outs, done)
	go func() {
		defer close(done)
		for buf := make([]byte, 64<<10); ; {
			n, err := from.Read(buf)
			if _, e := to.Write(buf[:n]); e != nil || err != nil {
				return // a terminal ends with an error
			}
			if until := l.until.Load(); until != nil {
				_ = from.SetReadDeadline(soonest(*until, time.Now().Add(quiet)))
			}
		}
	}()
}

func soonest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// handed closes what has been handed over.
func (l *loan) handed() { closeAll(l.ends) }

// on begins to pass on between our terminal and the program's.
func (l *loan) on(master *os.File) {
	if err := unix.SetNonblock(int(master.Fd()), true); err == nil { // so that reading can end
		if fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0); err == nil {
			_ = unix.SetNonblock(fd, true)
			_ = master.Close() // there is a copy
			master = os.NewFile(uintptr(fd), "terminal")
		}
	}
	l.master.Store(master)
	l.resize()
	if state, err := term.MakeRaw(int(l.app.in.Fd())); err == nil {
		l.was = state
	}
	out := l.app.out
	if !l.terminals[1] {
		out = l.app.err
	}
	l.pipes = append(l.pipes, master)
	l.pass(out, master)
	go func() { _, _ = io.Copy(master, l.app.in) }() // it ends with us
}

// resize gives the program's terminal the size of ours.
func (l *loan) resize() {
	master := l.master.Load()
	if master == nil {
		return
	}
	if size, err := unix.IoctlGetWinsize(int(l.app.in.Fd()), unix.TIOCGWINSZ); err == nil {
		if c, err := master.SyscallConn(); err == nil {
			_ = c.Control(func(fd uintptr) { _ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, size) }) // it may have ended
		}
	}
}

// catchSignals begins to catch what is passed on.
func catchSignals() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGWINCH)
	return c
}

// signals passes signals on. What comes before the program begins waits for it; a
// second one, or some seconds, and nobody waits any more.
func (l *loan) signals(w controlConn, c <-chan os.Signal) (stop func()) {
	done := make(chan struct{})
	go func() {
		early := false
		for {
			select {
			case <-done:
				return
			case sig := <-c:
				if sig != syscall.SIGWINCH && !l.began.Load() {
					if early {
						_ = w.c.Close() // who waits there hears of it
						return
					}
					early = true
					time.AfterFunc(entryGrace, func() {
						if !l.began.Load() {
							_ = w.c.Close() // as above
						}
					})
				}
				l.signal(w, sig, done)
			}
		}
	}()
	return func() { close(done) } // signals are caught on, by nobody: ambit is about to end
}

func (l *loan) signal(w controlConn, sig os.Signal, done <-chan struct{}) {
	n, ok := sig.(syscall.Signal)
	switch {
	case !ok:
	case n == syscall.SIGWINCH:
		l.resize()
	default:
		_ = w.send(sign{int(n)}) // it may have ended
		if n == syscall.SIGTERM || n == syscall.SIGHUP {
			go func() {
				select {
				case <-done:
				case <-time.After(entryGrace):
					_ = w.send(sign{int(syscall.SIGKILL)}) // as above
				}
			}()
		}
	}
}

// entryGrace is how long a program that was told to end may take, as with ambit run.
const entryGrace = 5 * time.Second

// quiet is how long nothing more comes, when the program has ended, until nothing
// is waited for: what it left running may keep its end open.
const quiet = 100 * time.Millisecond

// drainMost is how long what is left is passed on at most.
const drainMost = 10 * time.Second

// drain passes on what is left, when the program has ended.
func (l *loan) drain() {
	until := time.Now().Add(drainMost)
	l.until.Store(&until)
	for _, f := range l.pipes {
		_ = f.SetReadDeadline(time.Now().Add(quiet)) // one that cannot have a deadline has nothing to wait for
	}
	for _, done := range l.outs {
		<-done
	}
}

// restore gives the terminal back as it was.
func (l *loan) restore() {
	if l.was != nil {
		_ = term.Restore(int(l.app.in.Fd()), l.was) // the terminal may be gone
	}
}
