package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/keep"
)

// entered is what is known of the programs that were started in sessions, so that their
// folders are read once: what is asked for and by whom stays as it is, and so does an end.
type entered struct {
	mu sync.Mutex
	of map[string]entry // guarded by mu; by id
}

// An entry is a program that was started in a session.
type entry struct {
	id, session, principal string
	created                int64
	over                   bool // it does not run any more, and never will
}

// key is what programs are listed by: when they were started.
func (e entry) key() string { return fmt.Sprintf("%020d %s", e.created, e.id) }

// within are the programs of a session that somebody sees. What is in no folder any more
// is forgotten.
func (x *entered) within(ids []string, who, session string, load func(id string) (keep.Job, error)) (some []entry, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := make(map[string]entry, len(ids))
	for _, id := range ids {
		e, known := x.of[id]
		if !known {
			j, err := load(id)
			if errors.Is(err, os.ErrNotExist) {
				continue // it was removed meanwhile
			}
			if err != nil {
				return nil, err
			}
			e = entry{id: id, session: j.Session, principal: j.Principal, created: j.Created}
		}
		now[id] = e
		if e.session == session && principal.Sees(who, e.principal) {
			some = append(some, e)
		}
	}
	x.of = now
	return some, nil
}

// ended notes that a program does not run any more.
func (x *entered) ended(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e, ok := x.of[id]; ok {
		e.over = true
		x.of[id] = e
	}
}

// execsOf are the programs that were started in a session and that a principal sees: those
// that run, or all.
func (s *Server) execsOf(who, session string, ended bool) (some []entry, err error) {
	folders, err := os.ReadDir(s.execJobs())
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, f := range folders {
		if execID.MatchString(f.Name()) {
			ids = append(ids, f.Name())
		}
	}
	all, err := s.entered.within(ids, who, session, func(id string) (keep.Job, error) { return keep.Load(s.job(id)) })
	if err != nil || ended {
		return all, err
	}
	for _, e := range all {
		if e.over {
			continue
		}
		k, err := s.startedFor(who, e.id)
		if err != nil {
			return nil, err
		}
		switch {
		case k == nil: // it was removed meanwhile
		case k.state == keep.Ended, k.state == keep.Lost:
			s.entered.ended(e.id)
		default:
			some = append(some, e)
		}
	}
	return some, nil
}

func (s execs) ListExecs(ctx context.Context, r *connect.Request[pb.ListExecsRequest]) (*connect.Response[pb.ListExecsResponse], error) {
	caller := callerOf(ctx)
	if _, err := s.find(ctx, caller.Principal, r.Msg.GetSession()); err != nil {
		return nil, failure(err)
	}
	all, err := s.execsOf(caller.Principal, r.Msg.GetSession(), r.Msg.GetEnded())
	if err != nil {
		return nil, failure(err)
	}
	some, next, err := page(s.tokens, caller, r.Msg, all, entry.key, true)
	if err != nil {
		return nil, failure(err)
	}
	m := &pb.ListExecsResponse{NextPageToken: next}
	for _, e := range some {
		x, err := s.exec(caller.Principal, e.id)
		if connect.CodeOf(err) == connect.CodeNotFound {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, failure(err)
		}
		m.Execs = append(m.Execs, x)
	}
	return connect.NewResponse(m), nil
}
