package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
)

// recorder records each call that may change something, before it does.
//
// Security: who is known by a token, or by a login, acts as the person whose host this
// is. Which of them it was, only this says; what cannot be recorded is not done.
func (s *Server) recorder() connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
			procedure := r.Spec().Procedure
			route, ok := RouteOf(procedure)
			if ok && route.Changes() && !route.own { // recordCreate, recordTyping, spool.take
				if err := s.recordCall(ctx, callerOf(ctx), procedure, "", objects(r.Any())); err != nil {
					return nil, failure(err)
				}
			}
			return next(ctx, r)
		}
	}
}

// recordCreate records who starts a session, before anything is started. A session
// that cannot be recorded is none, unless an earlier request with its key began it.
func (s *Server) recordCreate(ctx context.Context, caller Caller, id string, r *connect.Request[pb.CreateSessionRequest]) error {
	what := r.Msg.GetArgv()
	if p := r.Msg.GetPack(); p != "" {
		what = append([]string{p}, what...)
	}
	err := s.recordCall(ctx, caller, r.Spec().Procedure, id, what)
	if err != nil && r.Msg.GetIdempotencyKey() == "" {
		err = errors.Join(err, os.RemoveAll(s.job(id)))
	}
	return err
}

// objects are what a request names.
func objects(r any) (all []string) {
	if m, ok := r.(interface{ GetId() string }); ok {
		all = append(all, m.GetId())
	}
	if m, ok := r.(*pb.PreparePackRequest); ok {
		all = append(all, m.GetSource()+m.GetUpload())
	}
	if m, ok := r.(*pb.InstallPackRequest); ok {
		all = append(all, m.GetDigest())
	}
	if m, ok := r.(interface {
		GetSession() string
		GetVolume() string
	}); ok {
		all = append(all, m.GetSession(), m.GetVolume())
	}
	if m, ok := r.(keyed); ok {
		all = append(all, m.GetPack(), m.GetKey())
	}
	if m, ok := r.(pathOf); ok {
		all = append(all, m.GetSession(), text(m.GetPath()+string(m.GetRawPath())))
	}
	if m, ok := r.(*pb.ApplyChangesRequest); ok {
		all = append(all, m.GetPaths()...)
	}
	if m, ok := r.(interface{ GetIds() []string }); ok {
		all = append(all, m.GetIds()...)
	}
	if m, ok := r.(interface{ GetCapabilities() []string }); ok {
		all = append(all, m.GetCapabilities()...)
	}
	return all
}

// Bounds of what is recorded of a call.
const (
	maxObjects = 64
	maxObject  = 1024 // bytes
)

func (s *Server) recordCall(ctx context.Context, caller Caller, procedure, session string, what []string) error {
	if caller.By == "" {
		return nil // this user, on the socket: what is changed says so itself
	}
	b := audit.CallBody{By: audit.Text(caller.By), Role: caller.Role.String(), Procedure: procedure}
	for _, o := range what[:min(len(what), maxObjects)] {
		b.Objects = append(b.Objects, audit.Text(o[:min(len(o), maxObject)]))
	}
	r, err := audit.New(b)
	if err != nil {
		return err
	}
	r.ID, r.Principal, r.Session = audit.NewID("c"), caller.Principal, session
	began := time.Now()
	l, err := audit.Open(s.log(), audit.Options{Trace: traceOf(ctx).parent})
	if err != nil {
		return fmt.Errorf("the audit log cannot be written: %w", err)
	}
	_, err = l.Append(ctx, r)
	if err = errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("nothing was changed, since it could not be recorded: %w", err)
	}
	s.metrics.appends.Took(time.Since(began))
	return nil
}
