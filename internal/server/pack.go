package server

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/principal"
)

// packs is the PackService.
type packs struct{ *Server }

// A packRow is what `ambit pack ls --json` prints of each pack.
type packRow struct {
	ID        string    `json:"id"`
	Folder    string    `json:"folder"`
	Digest    string    `json:"digest"`
	Version   string    `json:"version"`
	Signer    string    `json:"signer"`
	Source    string    `json:"source"`
	Installed time.Time `json:"installed"`
}

func (r packRow) message() *pb.Pack {
	return &pb.Pack{Id: text(r.ID), Folder: text(r.Folder), Version: text(r.Version), Digest: r.Digest, Signer: r.Signer,
		Source: text(r.Source), Installed: !r.Installed.IsZero()}
}

// packRows are the packs that a caller is told of: to an organisation those that are
// installed for all. Where another one's lie that are run in their folders is theirs.
func (s packs) packRows(ctx context.Context) (all []packRow, err error) {
	err = s.command(ctx, &all, "pack", "ls")
	if principal.Org(callerOf(ctx).Principal) != "" {
		all = slices.DeleteFunc(all, func(r packRow) bool { return r.Installed.IsZero() })
	}
	return all, err
}

func (s packs) ListPacks(ctx context.Context, r *connect.Request[pb.ListPacksRequest]) (*connect.Response[pb.ListPacksResponse], error) {
	all, err := s.packRows(ctx)
	if err != nil {
		return nil, failure(err)
	}
	some, next, err := page(s.tokens, callerOf(ctx), r.Msg, all, func(r packRow) string { return r.ID }, false)
	if err != nil {
		return nil, failure(err)
	}
	m := &pb.ListPacksResponse{NextPageToken: next}
	for _, r := range some {
		m.Packs = append(m.Packs, r.message())
	}
	return connect.NewResponse(m), nil
}

// A packReport is what `ambit pack show --json` prints.
type packReport struct {
	Name         string   `json:"name"`
	Kind         string   `json:"kind"`
	Description  string   `json:"description"`
	Version      string   `json:"version"`
	Entry        []string `json:"entry"`
	Capabilities []struct {
		Capability capability.Capability `json:"capability"`
		Meaning    string                `json:"meaning"`
		Reason     string                `json:"reason"`
		Optional   bool                  `json:"optional"`
		Broad      bool                  `json:"broad"`
		Granted    bool                  `json:"granted"`
		Why        string                `json:"why"`
		Problem    string                `json:"problem"`
	} `json:"capabilities"`
	Problems []string `json:"problems"`
	Uses     []struct {
		Sessions int `json:"sessions"`
		Used     int `json:"used"`
	} `json:"uses"` // in the order of the capabilities
}

func (s packs) GetPack(ctx context.Context, r *connect.Request[pb.GetPackRequest]) (*connect.Response[pb.GetPackResponse], error) {
	row, err := s.known(ctx, r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	var about packReport
	name := row.ID
	if row.Installed.IsZero() {
		name = row.Folder // it runs where it lies
	}
	// A pack that could not run here is told of like any other, with its problems.
	if err := s.command(ctx, &about, "pack", "show", "--", name); err != nil && about.Kind == "" {
		return nil, failure(err)
	}
	m := &pb.GetPackResponse{Pack: row.message(), Name: text(about.Name), Kind: about.Kind, Description: text(about.Description),
		Entry: texts(about.Entry), Problems: texts(about.Problems)}
	for i, w := range about.Capabilities {
		want := &pb.Want{Capability: text(w.Capability.Display()), Meaning: text(w.Meaning), Reason: text(w.Reason),
			Optional: w.Optional, Broad: w.Broad, Granted: w.Granted, Why: text(w.Why), Problem: text(w.Problem)}
		if i < len(about.Uses) {
			want.Sessions, want.Used = int32(about.Uses[i].Sessions), int32(about.Uses[i].Used)
		}
		m.Wants = append(m.Wants, want)
	}
	return connect.NewResponse(m), nil
}
