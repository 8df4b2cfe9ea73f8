package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/core/trace"
	"ambit.dev/ambit/internal/keep"
	"ambit.dev/ambit/internal/store"
)

// sessions is the SessionService.
type sessions struct{ *Server }

// jobs is where the sessions that were asked for here are kept.
func (s *Server) jobs() string { return filepath.Join(s.cfg.State, "host", "sessions") }

// sessionID is what names a session, and so a folder of jobs.
var sessionID = regexp.MustCompile(`^s-[a-z2-7]{10}$`)

// findJobs notes the jobs that an earlier host began: they went on without it.
func (s *Server) findJobs() error {
	ids, err := s.allJobs()
	for _, id := range ids {
		if state, _, err := keep.Look(s.job(id)); err != nil || state != keep.Ended {
			s.active[id] = false
		}
	}
	return err
}

func (s *Server) allJobs() (ids []string, err error) {
	entries, err := os.ReadDir(s.jobs())
	for _, e := range entries {
		if sessionID.MatchString(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, err
}

// job is the folder of a session, or of a program that was started in one.
func (s *Server) job(id string) string {
	if execID.MatchString(id) {
		return filepath.Join(s.execJobs(), id)
	}
	return filepath.Join(s.jobs(), id)
}

// rows are the sessions of a principal on the list, as they were when it was last changed.
func (s *Server) rows(ctx context.Context, who string) (mine []store.Session, err error) {
	stamp, err := s.stamp(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.recentRows.get(stamp, rowsFresh, func() ([]store.Session, error) {
		return read(ctx, s.list, func(ctx context.Context, l *store.List) ([]store.Session, error) {
			if err := l.TakeIn(ctx); err != nil {
				return nil, err
			}
			return l.Sessions(ctx)
		})
	})
	for _, r := range all {
		if principal.Sees(who, r.Principal) {
			mine = append(mine, r)
		}
	}
	return mine, err
}

// stamp is another one after each change of the list.
func (s *Server) stamp(ctx context.Context) (string, error) {
	return read(ctx, s.list, func(_ context.Context, l *store.List) (string, error) { return l.Stamp(), nil })
}

// kept is a job of a principal, and how far it is.
type kept struct {
	keep.Job
	state keep.State
	end   keep.End
}

// keptFor reads the job of a session. One that is not there, or somebody else's, is nil.
func (s *Server) keptFor(principal, id string) (*kept, error) {
	if !sessionID.MatchString(id) {
		return nil, nil
	}
	return s.startedFor(principal, id)
}

// startedFor reads the job of a session, or of a program that was started in one.
func (s *Server) startedFor(who, id string) (*kept, error) {
	if !sessionID.MatchString(id) && !execID.MatchString(id) {
		return nil, nil
	}
	k := &kept{}
	var err error
	s.shelf.mu.RLock() // it is removed before or after
	defer s.shelf.mu.RUnlock()
	if k.Job, err = keep.Load(s.job(id)); errors.Is(err, os.ErrNotExist) || err == nil && !principal.Sees(who, k.Principal) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k.state, k.end, err = keep.Look(s.job(id))
	if err == nil && (k.state == keep.Ended || k.state == keep.Lost) {
		s.mu.Lock()
		delete(s.active, id)
		s.mu.Unlock()
	}
	return k, err
}

// message is a session as it is told: its row, its job, or both.
func (s *Server) message(id string, row *store.Session, k *kept) *pb.Session {
	m := &pb.Session{Id: id, Kept: k != nil}
	if k != nil {
		if p, ok := trace.Parse(k.Trace); ok {
			m.Trace = p.Trace()
		}
		s.tellJob(m, k)
	}
	if row == nil {
		return m
	}
	m.Organisation = text(principal.Org(row.Principal))
	m.Pack, m.Program, m.Tier, m.Pid = row.Pack, text(row.Program), row.Tier, int32(row.PID)
	m.Started, m.Ended, m.Status = moment(row.Started), moment(row.Ended), row.Status
	switch row.Status {
	case store.Running:
		m.State = pb.SessionState_SESSION_STATE_RUNNING
	case store.Lost:
		m.State = pb.SessionState_SESSION_STATE_LOST
	default:
		m.State = pb.SessionState_SESSION_STATE_ENDED
	}
	if rest, ok := strings.CutPrefix(row.Status, "exit "); ok && m.Exit == nil {
		if n, err := strconv.ParseInt(rest, 10, 32); err == nil {
			exit := int32(n)
			m.Exit = &exit
		}
	}
	return m
}

// tellJob says what is known of a session before it is on the list.
func (s *Server) tellJob(m *pb.Session, k *kept) {
	m.Terminal, m.Organisation = k.Terminal != nil, text(principal.Org(k.Principal))
	m.Pack, m.Program, m.Started = text(k.Pack), text(k.Program), moment(time.Unix(k.Created, 0))
	switch k.state {
	case keep.Waiting, keep.Running:
		m.State = pb.SessionState_SESSION_STATE_STARTING
		if s.hasBegun(m.GetId()) {
			m.State = pb.SessionState_SESSION_STATE_RUNNING
		}
	case keep.Lost:
		m.State = pb.SessionState_SESSION_STATE_LOST
	case keep.Ended:
		m.State = pb.SessionState_SESSION_STATE_ENDED
		exit := int32(k.end.Exit)
		m.Exit, m.Ended = &exit, moment(time.Unix(0, k.end.Ended))
		m.Status = fmt.Sprintf("exit %d", exit)
		if exit >= 125 && exit <= 127 {
			m.Error = text(s.said(m.Id, k.end))
		}
	}
}

// hasBegun reports whether the launch of a job that has not ended is known to be
// recorded: it is on the list a moment later.
func (s *Server) hasBegun(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active[id]
}

// find is one session of a principal.
func (s *Server) find(ctx context.Context, principal, id string) (*pb.Session, error) {
	k, err := s.keptFor(principal, id) // first: a row that is there later has ended later
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, principal)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(r store.Session) bool { return r.ID == id })
	switch {
	case i >= 0:
		m := s.message(id, &rows[i], k)
		s.tellPaused(m)
		return m, nil
	case k != nil:
		return s.message(id, nil, k), nil
	}
	return nil, notFound("session", id)
}

func (s sessions) GetSession(ctx context.Context, r *connect.Request[pb.GetSessionRequest]) (*connect.Response[pb.GetSessionResponse], error) {
	m, err := s.find(ctx, callerOf(ctx).Principal, r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.GetSessionResponse{Session: m}), nil
}

func (s sessions) ListSessions(ctx context.Context, r *connect.Request[pb.ListSessionsRequest]) (*connect.Response[pb.ListSessionsResponse], error) {
	all, err := s.all(ctx, callerOf(ctx).Principal, r.Msg.GetEnded())
	if err != nil {
		return nil, failure(err)
	}
	some, next, err := page(s.tokens, callerOf(ctx), r.Msg, all, listed.key, true)
	if err != nil {
		return nil, failure(err)
	}
	sessions := make([]*pb.Session, 0, len(some))
	for _, l := range some {
		sessions = append(sessions, s.message(l.id, l.row, l.job))
	}
	s.tellPaused(sessions...)
	return connect.NewResponse(&pb.ListSessionsResponse{Sessions: sessions, NextPageToken: next}), nil
}

// A listed session is one that can be told about, which takes longer than to sort it.
type listed struct {
	id  string
	row *store.Session // nil: it is not on the list
	job *kept          // nil: it was not asked for here
}

// key is what sessions are listed by: when they started.
func (l listed) key() string {
	var started time.Time
	if l.row != nil {
		started = l.row.Started
	} else {
		started = time.Unix(l.job.Created, 0)
	}
	return fmt.Sprintf("%020d %s", started.UnixNano(), l.id)
}

// all are the sessions of a principal: those on the list, and those that were
// asked for here and are not on it.
func (s *Server) all(ctx context.Context, principal string, ended bool) (all []listed, err error) {
	jobs, err := s.jobsOf(ctx, principal, ended)
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, principal)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if ended || r.Status == store.Running {
			all = append(all, listed{r.ID, &r, jobs[r.ID]})
		}
		delete(jobs, r.ID)
	}
	for id, k := range jobs {
		if ended || k.state == keep.Waiting || k.state == keep.Running {
			all = append(all, listed{id, nil, k})
		}
	}
	return all, nil
}

// jobsOf are the jobs of a principal that may not have ended, or all of them. Of the
// first it is known for a moment how far they were.
func (s *Server) jobsOf(ctx context.Context, principal string, ended bool) (map[string]*kept, error) {
	look := func() (map[string]*kept, error) {
		ids, err := s.unlisted(ended)
		jobs := map[string]*kept{}
		for _, id := range ids {
			k, err := s.keptFor(principal, id)
			if err != nil {
				return nil, err
			}
			if k != nil {
				jobs[id] = k
			}
		}
		return jobs, err
	}
	if ended {
		return look()
	}
	stamp, err := s.stamp(ctx)
	if err != nil {
		return nil, err
	}
	if stamp != "" {
		s.mu.Lock()
		stamp = fmt.Sprintf("%s %d %x", principal, s.begun, stamp)
		s.mu.Unlock()
	}
	jobs, err := s.recentJobs.get(stamp, jobsFresh, look)
	return maps.Clone(jobs), err
}

// unlisted are the jobs to look at: those that may not have ended, or all.
func (s *Server) unlisted(ended bool) (ids []string, err error) {
	if ended {
		return s.allJobs()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.active {
		ids = append(ids, id)
	}
	return ids, nil
}

// stopWithin is how long a session that is to end may take to be on the list.
const stopWithin = 5 * time.Second

// unlistedYet reports whether a session goes on that the command line does not
// know yet.
func unlistedYet(m *pb.Session) bool {
	starts := m.GetState() == pb.SessionState_SESSION_STATE_STARTING
	return starts || m.GetState() == pb.SessionState_SESSION_STATE_RUNNING && m.GetPid() == 0
}

// listed is one session of a principal, when the command line can know it.
func (s *Server) listed(ctx context.Context, principal, id string) (*pb.Session, error) {
	m, err := s.find(ctx, principal, id)
	for end := s.cfg.Now().Add(stopWithin); err == nil && unlistedYet(m) && s.cfg.Now().Before(end); {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lookEvery):
			m, err = s.find(ctx, principal, id)
		}
	}
	return m, err
}

func (s sessions) StopSession(ctx context.Context, r *connect.Request[pb.StopSessionRequest]) (*connect.Response[pb.StopSessionResponse], error) {
	m, err := s.listed(ctx, callerOf(ctx).Principal, r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	if m.GetState() != pb.SessionState_SESSION_STATE_RUNNING {
		return nil, unmet("the session " + m.GetId() + " does not run: " + m.GetStatus())
	}
	args := []string{"stop"}
	if r.Msg.GetNow() {
		args = append(args, "--now")
	}
	var stopped []string
	if err := s.command(ctx, &stopped, append(args, "--", m.GetId())...); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.StopSessionResponse{}), nil
}
