package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/keep"
)

// execs is the ExecService.
type execs struct{ *Server }

// execID is what names a program that was started in a session, and so its folder.
var execID = regexp.MustCompile(`^x-[a-z2-7]{10}$`)

// execJobs is where they are kept.
func (s *Server) execJobs() string { return filepath.Join(s.cfg.State, "host", "execs") }

func (s execs) CreateExec(ctx context.Context, r *connect.Request[pb.CreateExecRequest]) (*connect.Response[pb.CreateExecResponse], error) {
	caller, m := callerOf(ctx), r.Msg
	if err := s.reachable(ctx, caller.Principal, m.GetSession()); err != nil {
		return nil, failure(err)
	}
	id, err := s.putExec(ctx, caller, m)
	if err != nil {
		return nil, failure(err)
	}
	defer s.shelf.hold(id)()
	if err := s.stillKept(id, m.GetIdempotencyKey()); err != nil {
		return nil, failure(err)
	}
	if err := s.recordCall(ctx, caller, r.Spec().Procedure, m.GetSession(), append([]string{id}, m.GetArgv()...)); err != nil {
		return nil, failure(err)
	}
	begun, err := audit.Follow(s.log()) // before it is begun
	if err != nil {
		return nil, failure(err)
	}
	if err := s.newKeeper(id); err != nil {
		return nil, failure(err)
	}
	if err := s.untilEntered(ctx, id, begun); err != nil {
		return nil, failure(err)
	}
	e, err := s.exec(caller.Principal, id)
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.CreateExecResponse{Exec: e}), nil
}

// reachable waits until a session of a principal can be entered.
func (s *Server) reachable(ctx context.Context, principal, id string) error {
	if !sessionID.MatchString(id) {
		return notFound("session", id)
	}
	m, err := s.listed(ctx, principal, id)
	if err == nil && m.GetState() != pb.SessionState_SESSION_STATE_RUNNING {
		err = unmet("the session " + id + " does not run: " + m.GetStatus())
	}
	return err
}

// putExec makes the job of a request, or finds the one that an earlier request with
// the same key made.
//
// Security: each text stands behind the flag that it is for, or behind "--". It is
// the session's launcher that decides and records, as for `ambit exec` at a terminal.
func (s *Server) putExec(ctx context.Context, caller Caller, r *pb.CreateExecRequest) (id string, err error) {
	if len(r.GetArgv()) == 0 || r.GetArgv()[0] == "" {
		return "", invalid("argv: nothing to run; give a command")
	}
	if err := plain(r); err != nil {
		return "", err
	}
	id = audit.NewID("x")
	size, term, err := terminalOf(r)
	if err != nil {
		return "", err
	}
	args := append([]string{"exec", "--state-dir=" + s.cfg.State, "--exec-id=" + id}, term...)
	if r.GetDir() != "" {
		args = append(args, "--dir="+r.GetDir())
	}
	for _, v := range pairs(r.GetEnv()) {
		args = append(args, "--env="+v)
	}
	args = append(append(args, "--", r.GetSession(), "--"), r.GetArgv()...)
	digest, err := digestOf(r)
	if err != nil {
		return "", err
	}
	j := keep.Job{Principal: caller.Principal, Created: s.cfg.Now().Unix(), Path: s.cfg.Ambit, Dir: "/", Args: args, Stdin: r.GetStdin(),
		Digest: digest, Program: r.GetArgv()[0], Terminal: size, Session: r.GetSession(), Argv: r.GetArgv(),
		Trace: traceOf(ctx).parent.String(), TraceState: traceOf(ctx).state}
	if err := keep.Put(s.job(id), j); err != nil || r.GetIdempotencyKey() == "" {
		return id, err
	}
	return s.claimed("exec\x00"+caller.Principal+"\x00"+r.GetIdempotencyKey(), id, j.Digest)
}

// untilEntered waits until the begin of a program is recorded, or it was refused, or
// it waits for somebody's answer.
func (s *Server) untilEntered(ctx context.Context, id string, log *audit.Follower) error {
	tick := time.NewTicker(beginEvery)
	defer tick.Stop()
	began := func(r audit.Record) bool { return r.Kind == audit.SessionExec && r.ID == id }
	for end := s.cfg.Now().Add(beginsWithin); s.cfg.Now().Before(end); {
		state, how, err := keep.Look(s.job(id)) // before the log is read: it says more
		if err != nil {
			return err
		}
		all, err := log.Next()
		if err != nil || slices.ContainsFunc(all, began) {
			return err
		}
		switch state {
		case keep.Ended:
			return s.notEntered(id, how)
		case keep.Lost:
			return nil
		default:
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// deniedBy is the id of a decision in the line of a denial.
var deniedBy = regexp.MustCompile(`\bd-[a-z2-7]{10,}\b`)

// notEntered is why a program that has ended never began; nil where it did.
func (s *Server) notEntered(id string, how keep.End) error {
	_, err := audit.Lookup(s.log(), id)
	if err == nil { // an earlier request began it
		return nil
	}
	if !errors.Is(err, audit.ErrNotFound) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	why := s.said(id, how)
	if how.Exit != 126 {
		return unmet(text(why))
	}
	r, err := audit.Lookup(s.log(), deniedBy.FindString(why))
	if err != nil {
		return denied(why) // its line has no id that is known
	}
	return denied(why, r)
}

// exec is one of a principal's programs, as it is told.
func (s *Server) exec(principal, id string) (*pb.Exec, error) {
	k, err := s.startedFor(principal, id)
	if err != nil {
		return nil, err
	}
	if k == nil || k.Session == "" {
		return nil, notFound("program that was started in a session:", id)
	}
	m := &pb.Exec{Id: id, Session: k.Session, Argv: texts(k.Argv), Started: moment(time.Unix(k.Created, 0)), Terminal: k.Terminal != nil}
	switch k.state {
	case keep.Waiting, keep.Running:
		m.State = pb.SessionState_SESSION_STATE_RUNNING
	case keep.Lost:
		m.State = pb.SessionState_SESSION_STATE_LOST
	case keep.Ended:
		exit := int32(k.end.Exit)
		m.State, m.Exit, m.Ended = pb.SessionState_SESSION_STATE_ENDED, &exit, moment(time.Unix(0, k.end.Ended))
	}
	return m, nil
}

func (s execs) GetExec(ctx context.Context, r *connect.Request[pb.GetExecRequest]) (*connect.Response[pb.GetExecResponse], error) {
	e, err := s.exec(callerOf(ctx).Principal, r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.GetExecResponse{Exec: e}), nil
}

func (s execs) StopExec(ctx context.Context, r *connect.Request[pb.StopExecRequest]) (*connect.Response[pb.StopExecResponse], error) {
	id := r.Msg.GetId()
	if _, err := s.exec(callerOf(ctx).Principal, id); err != nil {
		return nil, failure(err)
	}
	err := untilTyped(ctx, func() (bool, error) { return true, keep.Stop(s.job(id)) })
	if err != nil {
		return nil, failure(typing(id, err))
	}
	return connect.NewResponse(&pb.StopExecResponse{}), nil
}
