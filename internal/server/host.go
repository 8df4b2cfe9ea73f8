package server

import (
	"context"
	"errors"
	"os"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// host is the HostService.
type host struct{ *Server }

func (s host) GetVersion(ctx context.Context, _ *connect.Request[pb.GetVersionRequest]) (*connect.Response[pb.GetVersionResponse], error) {
	caller := callerOf(ctx)
	return connect.NewResponse(&pb.GetVersionResponse{Version: s.cfg.Version, Principal: caller.Principal, Role: caller.Role.String(), Started: moment(s.started)}), nil
}

func (s host) CheckHealth(ctx context.Context, _ *connect.Request[pb.CheckHealthRequest]) (*connect.Response[pb.CheckHealthResponse], error) {
	return connect.NewResponse(s.health(ctx)), nil
}

// Ready reports whether store and log answer.
func (s *Server) Ready(ctx context.Context) bool { return s.health(ctx).GetReady() }

func (s *Server) health(ctx context.Context) *pb.CheckHealthResponse {
	m := &pb.CheckHealthResponse{Ready: true}
	note := func(name string, err error) {
		c := &pb.Check{Name: name, Holds: err == nil}
		if err != nil {
			c.Detail, m.Ready = text(err.Error()), false
		}
		m.Checks = append(m.Checks, c)
	}
	_, err := read(ctx, s.grants, func(ctx context.Context, st *store.Store) ([]grant.Grant, error) {
		return st.Grants(ctx, callerOf(ctx).Principal, "")
	})
	note("grants", err)
	_, err = read(ctx, s.list, func(ctx context.Context, l *store.List) ([]store.Approval, error) { return l.Approvals(ctx) })
	note("questions", err)
	if _, _, err = audit.LastHead(s.log()); errors.Is(err, os.ErrNotExist) {
		err = nil // nothing was recorded yet
	}
	note("audit log", err)
	return m
}

// A diagnosis is what `ambit doctor --json` prints.
type diagnosis struct {
	Holds    bool `json:"holds"`
	Findings []struct {
		Layer  string `json:"layer"`
		State  string `json:"state"`
		Needed bool   `json:"needed"`
		Detail string `json:"detail"`
		Fix    string `json:"fix"`
	} `json:"findings"`
}

func (s host) Diagnose(ctx context.Context, _ *connect.Request[pb.DiagnoseRequest]) (*connect.Response[pb.DiagnoseResponse], error) {
	s.diagnosing.Lock() // one at a time: it starts sandboxes
	defer s.diagnosing.Unlock()
	var d diagnosis
	if err := s.command(ctx, &d, "doctor"); err != nil && len(d.Findings) == 0 {
		return nil, failure(err)
	}
	m := &pb.DiagnoseResponse{Holds: d.Holds}
	for _, f := range d.Findings {
		m.Findings = append(m.Findings, &pb.Finding{Layer: f.Layer, State: f.State, Needed: f.Needed, Detail: text(f.Detail), Fix: text(f.Fix)})
	}
	return connect.NewResponse(m), nil
}
