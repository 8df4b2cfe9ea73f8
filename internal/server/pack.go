package server

import (
	"context"
	"slices"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/core/capability"
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

func (s packs) ListPacks(ctx context.Context, r *connect.Request[pb.ListPacksRequest]) (*connect.Response[pb.ListPacksResponse], error) {
	var all []packRow
	if err := s.command(ctx, &all, "pack", "ls"); err != nil {
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

// A packReport is what `ambit pack check --json` prints.
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
}

func (s packs) GetPack(ctx context.Context, r *connect.Request[pb.GetPackRequest]) (*connect.Response[pb.GetPackResponse], error) {
	var all []packRow
	if err := s.command(ctx, &all, "pack", "ls"); err != nil {
		return nil, failure(err)
	}
	i := slices.IndexFunc(all, func(row packRow) bool { return row.ID == r.Msg.GetId() })
	if i < 0 {
		return nil, notFound("pack", r.Msg.GetId())
	}
	var about packReport
	name := all[i].ID
	if all[i].Installed.IsZero() {
		name = all[i].Folder // it runs where it lies
	}
	// A pack that could not run here is told of like any other, with its problems.
	if err := s.command(ctx, &about, "pack", "check", "--", name); err != nil && about.Kind == "" {
		return nil, failure(err)
	}
	m := &pb.GetPackResponse{Pack: all[i].message(), Name: text(about.Name), Kind: about.Kind, Description: text(about.Description),
		Entry: texts(about.Entry), Problems: texts(about.Problems)}
	for _, w := range about.Capabilities {
		m.Wants = append(m.Wants, &pb.Want{Capability: text(w.Capability.Display()), Meaning: text(w.Meaning), Reason: text(w.Reason),
			Optional: w.Optional, Broad: w.Broad, Granted: w.Granted, Why: text(w.Why), Problem: text(w.Problem)})
	}
	return connect.NewResponse(m), nil
}
