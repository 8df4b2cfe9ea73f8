// Package server is the API of a host: it translates between the messages of
// api/ambit/v1 and what the command line does, on the same store and the same log.
//
// It decides nothing and grants nothing by itself:
//
//   - What it shows it reads: questions, sessions and grants from the store,
//     records from the log.
//   - An answer to a question goes to the store, and the launcher that asked makes
//     a grant of it and puts its request to its gate again, as with any answer.
//   - What changes grants, ends sessions, or looks at packs and at the host is a
//     run of ambit's own command line. So is each session: internal/keep, `ambit run`.
//
// Invariants:
//
//   - A route that is not in the table (routes) is not served, and each in it is
//     only for callers with its role (TestEveryRoute, TestRoles).
//   - Callers see and change what is their principal's, and nothing else: of
//     anything else there is none (TestServeSomebodyElses in test/serve, TestTokens).
//   - What is installed by it is what the same caller was shown, once (TestConsentExactly,
//     TestConsentStale, TestConsentWho in test/serve).
//   - It keeps nothing that would be lost with it: a host that is killed and started
//     again answers the same (TestServeKilled in test/serve).
//
// Who the caller is, whoever listens has found out (WithCaller). Layer: a front
// door, above core, audit, store and keep.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/store"
)

// Config is what a Server is made of.
type Config struct {
	State   string // the folder of grants and log
	Ambit   string // path of the command line
	Keeper  string // path of ambit-keeper
	Version string
	Home    string        // where sessions are started that name no folder
	StandBy int           // how many launchers stand by for sessions
	Keep    time.Duration // how long what has ended is kept
	Spans   Spans         // where spans go; nil: nowhere
	Log     *slog.Logger  // of calls; nil: they are not logged
	Now     func() time.Time
}

// A Server serves the API. It is safe for concurrent use.
type Server struct {
	cfg     Config
	base    *store.Database
	list    *opened[*store.List]
	grants  *opened[*store.Store]
	tokens  tokens
	started time.Time
	running chan struct{} // one place for each command line at once
	standby *standby
	shelf   *shelf
	entered entered
	metrics *metrics
	calls   *callLog

	recentRows  recent[[]store.Session]
	recentJobs  recent[map[string]*kept]
	recentAsked recent[[]store.Approval]
	watched     *watched
	newest      *audit.Newest

	preparing chan struct{} // one place for each pack that is unpacked at once
	archives  *spool        // of packs that are uploaded
	written   *spool        // files of sessions that are uploaded
	reading   chan struct{} // one place for each file of a session that is read at once

	mu      sync.Mutex
	begun   int             // guarded by mu; how many jobs were put, or became known to have begun
	active  map[string]bool // guarded by mu; jobs that may not have ended, and whether they are known to have begun
	typists map[string]bool // guarded by mu; who is recorded to type where

	verifying, diagnosing sync.Mutex // one each at a time
}

// maxCommands bounds how many command lines run at once for the API, and maxPreparing
// how many of them unpack packs, which takes long.
const (
	maxCommands  = 8
	maxPreparing = 2
)

// New makes a server on a state folder, which must be there.
func New(cfg Config) (*Server, error) {
	s := &Server{cfg: cfg, base: &store.Database{}, tokens: newTokens(), started: cfg.Now(),
		running: make(chan struct{}, maxCommands), preparing: make(chan struct{}, maxPreparing), reading: make(chan struct{}, maxReading), active: map[string]bool{}, typists: map[string]bool{}}
	s.standby = &standby{keeper: cfg.Keeper, launcher: cfg.Ambit, state: cfg.State, jobs: s.jobs(), many: cfg.StandBy}
	s.shelf = &shelf{kinds: []shelfKind{{s.jobs(), sessionID}, {s.execJobs(), execID}}, lasts: cfg.Keep, most: keptMost, now: cfg.Now, runs: s.onList, held: map[string]int{}}
	s.newest = audit.NewNewest(s.log())
	s.watched = &watched{read: s.asked, stamp: s.stamp}
	s.metrics, s.calls = newMetrics(s), &callLog{to: cfg.Log}
	s.archives = &spool{dir: filepath.Join(cfg.State, "host", "uploads"), what: "archive", many: maxUploads, now: cfg.Now}
	s.written = &spool{dir: filepath.Join(cfg.State, "host", "files"), what: "file", many: maxFiles, now: cfg.Now}
	s.list = &opened[*store.List]{open: func() (*store.List, error) { return s.base.OpenList(filepath.Join(cfg.State, "sessions.db")) }}
	s.grants = &opened[*store.Store]{open: func() (*store.Store, error) { return s.base.Open(filepath.Join(cfg.State, "ambit.db")) }}
	for _, dir := range []string{s.jobs(), s.execJobs(), s.keys()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	if err := s.findJobs(); err != nil {
		return s, err
	}
	return s, nil
}

// StandBy has launchers stand by from now on. It is for when sessions can be asked for.
func (s *Server) StandBy() { s.standby.next() }

// Close closes the store, and ends the launchers that stand by. Sessions go on.
func (s *Server) Close() error {
	s.standby.close()
	return errors.Join(s.list.close(), s.grants.close())
}

// log is the folder of the audit log.
func (s *Server) log() string { return filepath.Join(s.cfg.State, "audit") }

// Handler serves the routes of the table.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	opts := connect.WithHandlerOptions(connect.WithRecover(recovered), connect.WithReadMaxBytes(maxMessage), connect.WithInterceptors(traces{s.cfg.Spans, s.calls}, s.metrics, s.recorder(), endings{}))
	for _, add := range []func(...connect.HandlerOption) (string, http.Handler){
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewQuestionServiceHandler(questions{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewSessionServiceHandler(sessions{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewExecServiceHandler(execs{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewPauseServiceHandler(pauses{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewFileServiceHandler(files{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewTerminalServiceHandler(terminals{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewGrantServiceHandler(grants{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewAuditServiceHandler(records{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewPackServiceHandler(packs{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewChangeServiceHandler(apart{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewStorageServiceHandler(stored{s}, o...)
		},
		func(o ...connect.HandlerOption) (string, http.Handler) {
			return ambitv1connect.NewHostServiceHandler(host{s}, o...)
		},
	} {
		mux.Handle(add(opts))
	}
	mux.Handle(MetricsPath, s.metrics)
	return s.guard(plainNearby(mux))
}

func recovered(context.Context, connect.Spec, http.Header, any) error {
	return connect.NewError(connect.CodeInternal, errors.New("internal error: the request ended in a panic"))
}

// opened is something that is opened when it is first used, and anew after an
// error: what it rests on is a process that may be lost.
type opened[T interface{ Close() error }] struct {
	open func() (T, error)

	mu   sync.RWMutex
	it   T    // guarded by mu
	have bool // guarded by mu
}

// use does something with it. An error that is no answer closes it.
func (o *opened[T]) use(do func(T) error) error {
	o.mu.RLock()
	if !o.have {
		o.mu.RUnlock()
		if err := o.ready(); err != nil {
			return err
		}
		o.mu.RLock()
	}
	if !o.have {
		o.mu.RUnlock()
		return errors.New("the store was closed meanwhile")
	}
	err := do(o.it)
	o.mu.RUnlock()
	if err != nil && !answers(err) {
		err = errors.Join(err, o.close())
	}
	return err
}

func (o *opened[T]) ready() (err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.have {
		o.it, err = o.open()
		o.have = err == nil
	}
	return err
}

func (o *opened[T]) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.have {
		return nil
	}
	o.have = false
	return o.it.Close()
}

// answers reports whether an error is what the store had to say.
func answers(err error) bool {
	for _, known := range []error{store.ErrNotFound, store.ErrRevoked, store.ErrEnded, store.ErrExists, store.ErrAnswered, store.ErrExpired, store.ErrWithdrawn} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// read does something with it that may be done twice: where a process was lost
// since, the next one is asked. It is done to its end, which takes a moment, also where its
// caller leaves: what is given up in the middle takes the process from everybody.
func read[T interface{ Close() error }, R any](ctx context.Context, o *opened[T], do func(context.Context, T) (R, error)) (r R, err error) {
	ctx = context.WithoutCancel(ctx)
	for range 2 {
		err = o.use(func(it T) (err error) {
			r, err = do(ctx, it)
			return err
		})
		if err == nil || answers(err) {
			break
		}
	}
	return r, err
}
