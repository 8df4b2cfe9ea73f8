package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/server"
)

// version is set when the binary is linked.
var version string

// exitFailed is the status of every program of Ambit's that could not do what it
// was started for.
const exitFailed = 125

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "ambit-host: %v\n", err)
		os.Exit(exitFailed)
	}
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !o.reloads() {
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	log := logger(o)
	err = serve(ctx, o, log)
	stop()
	if err != nil && o.json {
		log.Error("it cannot serve", "why", err)
		os.Exit(exitFailed)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "ambit: %v\n", err)
		os.Exit(exitFailed)
	}
}

// logger writes lines for people, or for programs.
func logger(o options) *slog.Logger {
	if o.json {
		return slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

// Bounds of connections: who is served is this user, but may be broken.
const (
	maxConnections = 512
	maxHeader      = 32 << 10
	headerWithin   = 10 * time.Second
	idleWithin     = 5 * time.Minute
	closeWithin    = 5 * time.Second
)

// serve serves until ctx ends.
func serve(ctx context.Context, o options, log *slog.Logger) (err error) {
	unlock, err := alone(o.state)
	if err != nil {
		return err
	}
	defer unlock()
	cfg, err := config(o)
	if err != nil {
		return err
	}
	cfg.Log = log
	send := spans(o, &cfg, log)
	s, err := server.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithCancel(ctx) // one that fails ends the other
	defer send(ctx, s)()
	defer cancel()
	defer tidying(ctx, cancel, s)()
	failed := make(chan error, 2)
	serving := 0
	begin := func(h *http.Server, l net.Listener) {
		serving++
		go func() {
			defer cancel()
			failed <- until(ctx, h, l)
		}()
	}
	wait := func() {
		for range serving {
			err = errors.Join(err, <-failed)
		}
	}
	if o.listen != "" {
		h, l, end, bad := openPort(ctx, o, s, log)
		if bad != nil {
			return bad
		}
		defer end()
		begin(h, l)
	}
	h, l, err := openSocket(ctx, o.state, s, log)
	if err != nil {
		cancel()
	} else {
		begin(h, l)
		s.StandBy()
		log.InfoContext(ctx, "serving", "socket", filepath.Join(o.state, socketName), "version", version)
		tell := func(state string) {
			if err := notify(o.notify, state); err != nil {
				log.WarnContext(ctx, "the service manager does not know", "state", state, "why", err)
			}
		}
		tell("READY=1")
		<-ctx.Done() // which also comes when one of them fails
		tell("STOPPING=1")
	}
	wait()
	return err
}

// tidying has what is too old removed, until end.
func tidying(ctx context.Context, cancel func(), s *server.Server) (end func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Tidy(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// until serves until ctx ends, or it fails.
func until(ctx context.Context, h *http.Server, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- h.Serve(l) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ends, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	err := h.Shutdown(ends)
	if errors.Is(err, context.DeadlineExceeded) {
		err = h.Close()
	}
	if ended := <-failed; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// openSocket makes the unix socket, and what serves it.
func openSocket(ctx context.Context, state string, s *server.Server, log *slog.Logger) (*http.Server, net.Listener, error) {
	own, err := ownNamespaces()
	if err != nil {
		return nil, nil, err
	}
	l, err := listen(ctx, state)
	if err != nil {
		return nil, nil, err
	}
	h := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerWithin, IdleTimeout: idleWithin, MaxHeaderBytes: maxHeader, Protocols: protocols(),
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return server.WithCaller(ctx, server.Caller{Principal: person(), Role: server.Admin})
		}}
	return h, netutil.LimitListener(&ownListener{Listener: l, own: own, log: log}, maxConnections), nil
}

func protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true) // gRPC; nobody is between on this socket
	return p
}

func config(o options) (cfg server.Config, err error) {
	cfg = server.Config{State: o.state, Version: version, Now: time.Now, StandBy: o.standBy, Keep: o.keep}
	if cfg.Home, err = os.UserHomeDir(); err != nil || !filepath.IsAbs(cfg.Home) {
		cfg.Home = "/"
	}
	if cfg.Ambit, err = start.Path("ambit"); err != nil {
		return cfg, err
	}
	cfg.Keeper, err = start.Path("ambit-keeper")
	return cfg, err
}

// person names who runs this machine, as ambit does.
func person() string { return principal.User(os.Getuid()) }

// alone holds the folder for this host, until unlock.
//
// Security: whoever can write the folder can put a socket of theirs there, and a
// store; one that others may write is refused.
func alone(state string) (unlock func(), err error) {
	info, err := os.Lstat(state)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) { //nolint:forcetypeassert // what Lstat gives on Linux
		return nil, fmt.Errorf("the state folder %q is another user's, or others may write it", state)
	}
	if err := os.MkdirAll(filepath.Join(state, "host"), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(state, "host", "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close() // nothing was written
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("another ambit serve has the state folder %q", state)
		}
		return nil, fmt.Errorf("lock the state folder %q: %w", state, err)
	}
	return func() { _ = f.Close() }, nil // and the lock with it
}

// socketName is the socket in the state folder.
const socketName = "host.sock"

// listen makes the socket. The folder is held, so one that is there is of a host
// that was killed.
func listen(ctx context.Context, state string) (net.Listener, error) {
	// By descriptor: the name of a socket has at most 107 bytes, a folder's more.
	dir, err := os.Open(state)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), socketName)
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// Never open to others, not even until a chmod. What binds takes the modes of the
	// unbound socket (net/unix/af_unix.c); a mask is the whole process's, and would
	// become that of a session that is made ready meanwhile.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var bad error
		err := c.Control(func(fd uintptr) { bad = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, bad)
	}}
	l, err := config.Listen(ctx, "unix", name)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", filepath.Join(state, socketName), err)
	}
	if info, err := os.Lstat(name); err != nil || info.Mode().Perm()&0o177 != 0 {
		return nil, errors.Join(err, l.Close(), fmt.Errorf("listen on %q: others could connect to it", filepath.Join(state, socketName)))
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) //nolint:forcetypeassert // it was made as one above; its name leads nowhere now
	return l, nil
}
