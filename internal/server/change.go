package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// apart is the ChangeService: what sessions changed and is kept apart.
type apart struct{ *Server }

// A changedSet is what `ambit session diff --json` prints of each volume.
type changedSet struct {
	Volume  string         `json:"volume"`
	Stamp   string         `json:"stamp"`
	Source  string         `json:"source"`
	Target  string         `json:"target"`
	Changes []changedEntry `json:"changes"`
}

type changedEntry struct {
	Path       string `json:"path"`
	What       string `json:"what"`
	Type       string `json:"type"`
	Size       int64  `json:"size"`
	Target     string `json:"target"`
	Runs       bool   `json:"runs"`
	Difference *struct {
		Kind string `json:"kind"`
		Text string `json:"text"`
		More bool   `json:"more"`
	} `json:"difference"`
}

func (e changedEntry) message(volume string) *pb.Change {
	return &pb.Change{Volume: volume, Path: text(e.Path), What: e.What, Type: e.Type, Size: e.Size, Target: text(e.Target), Runs: e.Runs}
}

// over makes sure that a session is the caller's and has ended.
//
// Security: what a program that runs still writes may be something else at each look.
func (s apart) over(ctx context.Context, id string) error {
	m, err := s.find(ctx, callerOf(ctx).Principal, id)
	if err == nil && m.GetState() != pb.SessionState_SESSION_STATE_ENDED && m.GetState() != pb.SessionState_SESSION_STATE_LOST {
		err = unmet("the session still runs, and changes more")
	}
	return err
}

// sets are the volumes that a session changed. args stand before the paths.
func (s apart) sets(ctx context.Context, session string, args []string, paths ...string) (all []changedSet, err error) {
	args = append([]string{"session", "diff"}, args...)
	return all, s.command(ctx, &all, append(append(args, "--", session), paths...)...)
}

func (s apart) ListChanges(ctx context.Context, r *connect.Request[pb.ListChangesRequest]) (*connect.Response[pb.ListChangesResponse], error) {
	if err := s.over(ctx, r.Msg.GetSession()); err != nil {
		return nil, failure(err)
	}
	m := &pb.ListChangesResponse{}
	if _, err := os.Lstat(filepath.Join(s.cfg.State, "changes", r.Msg.GetSession())); errors.Is(err, fs.ErrNotExist) {
		return connect.NewResponse(m), nil // none of its volumes copied, or all was applied
	}
	sets, err := s.sets(ctx, r.Msg.GetSession(), nil)
	if err != nil {
		return nil, failure(err)
	}
	var all []*pb.Change
	for _, set := range sets {
		m.Volumes = append(m.Volumes, &pb.ChangedVolume{Volume: set.Volume, Source: text(set.Source), Target: text(set.Target), Stamp: set.Stamp})
		for _, e := range set.Changes {
			all = append(all, e.message(set.Volume))
		}
	}
	key := func(c *pb.Change) string { return fmt.Sprintf("%8s\x00%s", c.GetVolume(), c.GetPath()) }
	if m.Changes, m.NextPageToken, err = page(s.tokens, callerOf(ctx), r.Msg, all, key, false); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(m), nil
}

func (s apart) GetDifference(ctx context.Context, r *connect.Request[pb.GetDifferenceRequest]) (*connect.Response[pb.GetDifferenceResponse], error) {
	if r.Msg.GetVolume() == "" || r.Msg.GetPath() == "" {
		return nil, invalid("volume, path: expected those of a change")
	}
	if err := s.over(ctx, r.Msg.GetSession()); err != nil {
		return nil, failure(err)
	}
	sets, err := s.sets(ctx, r.Msg.GetSession(), []string{"--lines", "--exact", "--volume=" + r.Msg.GetVolume()}, r.Msg.GetPath())
	if err != nil {
		return nil, failure(err)
	}
	if len(sets) != 1 || len(sets[0].Changes) != 1 || sets[0].Changes[0].Difference == nil {
		return nil, failure(fmt.Errorf("ambit session diff tells of %d volumes", len(sets)))
	}
	e := sets[0].Changes[0]
	kinds := map[string]pb.DifferenceKind{"text": pb.DifferenceKind_DIFFERENCE_KIND_TEXT, "binary": pb.DifferenceKind_DIFFERENCE_KIND_BINARY, "long": pb.DifferenceKind_DIFFERENCE_KIND_LONG}
	return connect.NewResponse(&pb.GetDifferenceResponse{Change: e.message(sets[0].Volume), Kind: kinds[e.Difference.Kind], Text: text(e.Difference.Text), More: e.Difference.More}), nil
}

func (s apart) ApplyChanges(ctx context.Context, r *connect.Request[pb.ApplyChangesRequest]) (*connect.Response[pb.ApplyChangesResponse], error) {
	m := r.Msg
	switch {
	case m.GetVolume() == "" || m.GetStamp() == "":
		return nil, invalid("volume, stamp: expected those of a volume that was looked at")
	case m.GetAll() == (len(m.GetPaths()) > 0):
		return nil, invalid("paths, all: expected one of them")
	}
	if err := s.over(ctx, m.GetSession()); err != nil {
		return nil, failure(err)
	}
	args := []string{"session", "apply", "--volume=" + m.GetVolume(), "--seen=" + m.GetStamp()}
	if !m.GetAll() {
		args = append(args, "--exact")
	}
	var done []changedEntry
	if err := s.command(ctx, &done, append(append(args, "--", m.GetSession()), m.GetPaths()...)...); err != nil {
		return nil, failure(err)
	}
	answer := &pb.ApplyChangesResponse{}
	for _, e := range done {
		answer.Applied = append(answer.Applied, e.message(m.GetVolume()))
	}
	return connect.NewResponse(answer), nil
}

func (s apart) DropChanges(ctx context.Context, r *connect.Request[pb.DropChangesRequest]) (*connect.Response[pb.DropChangesResponse], error) {
	if r.Msg.GetAll() == (r.Msg.GetVolume() != "") {
		return nil, invalid("volume, all: expected one of them")
	}
	if err := s.over(ctx, r.Msg.GetSession()); err != nil {
		return nil, failure(err)
	}
	args := []string{"session", "drop"}
	if !r.Msg.GetAll() {
		args = append(args, "--volume="+r.Msg.GetVolume())
	}
	var done []string
	if err := s.command(ctx, &done, append(args, "--", r.Msg.GetSession())...); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.DropChangesResponse{}), nil
}
