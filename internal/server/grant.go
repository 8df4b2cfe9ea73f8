package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/store"
)

// grants is the GrantService.
type grants struct{ *Server }

// stored are all grants of a principal.
func (s *Server) stored(ctx context.Context, who string) ([]grant.Grant, error) {
	all, err := read(ctx, s.grants, func(ctx context.Context, st *store.Store) ([]grant.Grant, error) { return st.AllGrants(ctx) })
	return slices.DeleteFunc(all, func(g grant.Grant) bool { return !principal.Sees(who, g.Principal) }), err
}

// ended are the sessions of a principal that do not run.
func (s *Server) ended(ctx context.Context, principal string) (map[string]bool, error) {
	rows, err := s.rows(ctx, principal)
	over := map[string]bool{}
	for _, r := range rows {
		over[r.ID] = r.Status != store.Running
	}
	return over, err
}

func (s grants) ListGrants(ctx context.Context, r *connect.Request[pb.ListGrantsRequest]) (*connect.Response[pb.ListGrantsResponse], error) {
	caller := callerOf(ctx)
	all, err := s.stored(ctx, caller.Principal)
	if err != nil {
		return nil, failure(err)
	}
	over, err := s.ended(ctx, caller.Principal)
	if err != nil {
		return nil, failure(err)
	}
	now := s.cfg.Now()
	all = slices.DeleteFunc(all, func(g grant.Grant) bool {
		stands := g.Revoked.IsZero() && (g.Lifespan.Until.IsZero() || now.Before(g.Lifespan.Until)) && !over[g.Lifespan.Session]
		return r.Msg.GetPack() != "" && g.Pack != r.Msg.GetPack() || !stands && !r.Msg.GetEnded()
	})
	key := func(g grant.Grant) string { return fmt.Sprintf("%020d %s", g.Created.UnixNano(), g.ID) }
	some, next, err := page(s.tokens, caller, r.Msg, all, key, false)
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.ListGrantsResponse{Grants: grantMessages(some), NextPageToken: next}), nil
}

func grantMessages(all []grant.Grant) (list []*pb.Grant) {
	for _, g := range all {
		m := &pb.Grant{Id: g.ID, Pack: text(g.Pack), Digest: g.Digest, Capability: text(g.Capability.Display()), Meaning: text(g.Capability.Describe()),
			Verdict: pb.Verdict_VERDICT_DENY, Span: spanOf(g.Lifespan.Span), Until: moment(g.Lifespan.Until), Session: g.Lifespan.Session,
			Origin: text(g.Origin), Reason: text(g.Reason), Created: moment(g.Created), Revoked: moment(g.Revoked), Organisation: text(principal.Org(g.Principal))}
		if g.Outcome == grant.Allow {
			m.Verdict = pb.Verdict_VERDICT_ALLOW
		}
		list = append(list, m)
	}
	return list
}

func (s grants) AddGrants(ctx context.Context, r *connect.Request[pb.AddGrantsRequest]) (*connect.Response[pb.AddGrantsResponse], error) {
	args, err := addition(r.Msg)
	if err != nil {
		return nil, err
	}
	var added []grant.Grant
	if err := s.command(ctx, &added, args...); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.AddGrantsResponse{Grants: grantMessages(added)}), nil
}

// addition is the command line of a request.
func addition(r *pb.AddGrantsRequest) (args []string, err error) {
	args = []string{"grants", "add"}
	switch r.GetVerdict() {
	case pb.Verdict_VERDICT_ALLOW:
	case pb.Verdict_VERDICT_DENY:
		args = append(args, "--deny")
	default:
		return nil, invalid("verdict: expected VERDICT_ALLOW or VERDICT_DENY")
	}
	if len(r.GetCapabilities()) == 0 {
		return nil, invalid("capabilities: nothing to grant")
	}
	for _, c := range r.GetCapabilities() {
		if _, err := capability.Parse(c); err != nil {
			return nil, invalid("capabilities: " + text(err.Error()))
		}
		if _, path, ok := strings.Cut(c, ":"); ok && (path == "." || path == "..") || strings.Contains(c, ":./") || strings.Contains(c, ":../") {
			return nil, invalid("capabilities: expected absolute paths, or ~")
		}
	}
	if d := r.GetLifetime(); d != nil {
		if !d.IsValid() || d.AsDuration() < time.Second || d.AsDuration() > maxLifetime {
			return nil, invalid("lifetime: expected a second or more, and a hundred years at most")
		}
		args = append(args, "--until="+d.AsDuration().String())
	}
	for flag, value := range map[string]string{"pack": r.GetPack(), "reason": r.GetReason()} {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	if r.GetBroad() {
		args = append(args, "--broad")
	}
	return append(append(args, "--"), r.GetCapabilities()...), nil
}

// A revocation is what `ambit grants revoke --json` prints.
type revocation struct {
	Grants []grant.Grant `json:"grants"`
	Lost   []struct {
		Session string            `json:"session"`
		Effect  *audit.EffectBody `json:"effect"`
		Ended   bool              `json:"ended"`
	} `json:"lost"`
}

func (s grants) RevokeGrants(ctx context.Context, r *connect.Request[pb.RevokeGrantsRequest]) (*connect.Response[pb.RevokeGrantsResponse], error) {
	ids := r.Msg.GetIds()
	if len(ids) == 0 {
		return nil, invalid("ids: nothing to revoke")
	}
	all, err := s.stored(ctx, callerOf(ctx).Principal)
	if err != nil {
		return nil, failure(err)
	}
	for _, id := range ids {
		i := slices.IndexFunc(all, func(g grant.Grant) bool { return g.ID == id })
		switch {
		case i < 0:
			return nil, notFound("grant", id)
		case !all[i].Revoked.IsZero():
			return nil, failure(fmt.Errorf("the grant %s: %w", id, store.ErrRevoked))
		}
	}
	args := []string{"grants", "revoke"}
	if r.Msg.GetEndSessions() {
		args = append(args, "--kill")
	}
	var done revocation
	if err := s.command(ctx, &done, append(append(args, "--"), ids...)...); err != nil {
		return nil, failure(err)
	}
	m := &pb.RevokeGrantsResponse{Grants: grantMessages(done.Grants)}
	for _, l := range done.Lost {
		loss := &pb.Loss{Session: l.Session, Ended: l.Ended}
		if l.Effect != nil {
			loss.Capability, loss.Open = text(string(l.Effect.Capability)), int32(len(l.Effect.Open)+l.Effect.More)
		}
		m.Losses = append(m.Losses, loss)
	}
	return connect.NewResponse(m), nil
}
