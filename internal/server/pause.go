package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// pauses is the PauseService.
type pauses struct{ *Server }

// tellPaused says of sessions that run whether they are paused, as their launchers say.
// It is for those that are shown: each takes a look.
func (s *Server) tellPaused(all ...*pb.Session) {
	for _, m := range all {
		if m.GetState() == pb.SessionState_SESSION_STATE_RUNNING {
			_, err := os.Lstat(filepath.Join(s.cfg.State, "control", m.GetId()+".paused"))
			m.Paused = err == nil
		}
	}
}

// hold runs `ambit pause` or `ambit resume` for a session that runs.
func (s pauses) hold(ctx context.Context, verb, id string) (way string, err error) {
	if err := s.reachable(ctx, callerOf(ctx).Principal, id); err != nil {
		return "", err
	}
	var done []struct {
		Way string `json:"way"`
	}
	if err := s.command(ctx, &done, verb, "--", id); err != nil {
		return "", err
	}
	if len(done) != 1 {
		return "", errors.New("ambit " + verb + " tells of no session")
	}
	return done[0].Way, nil
}

func (s pauses) PauseSession(ctx context.Context, r *connect.Request[pb.PauseSessionRequest]) (*connect.Response[pb.PauseSessionResponse], error) {
	way, err := s.hold(ctx, "pause", r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.PauseSessionResponse{Way: text(way)}), nil
}

func (s pauses) ResumeSession(ctx context.Context, r *connect.Request[pb.ResumeSessionRequest]) (*connect.Response[pb.ResumeSessionResponse], error) {
	if _, err := s.hold(ctx, "resume", r.Msg.GetId()); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.ResumeSessionResponse{}), nil
}
