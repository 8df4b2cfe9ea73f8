package server

import (
	"context"
	"errors"
	"io/fs"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// A checkedRun is what `ambit run --check --json` prints.
type checkedRun struct {
	Starts       bool     `json:"starts"`
	Program      string   `json:"program"`
	Argv         []string `json:"argv"`
	Dir          string   `json:"dir"`
	Pack         string   `json:"pack"`
	Version      string   `json:"version"`
	PackDigest   string   `json:"pack_digest"`
	Tier         string   `json:"tier"`
	Home         string   `json:"home"`
	Asks         bool     `json:"asks"`
	Capabilities []struct {
		Capability string `json:"capability"`
		Meaning    string `json:"meaning"`
		Outcome    string `json:"outcome"`
		Broad      bool   `json:"broad"`
		Stops      bool   `json:"stops"`
		Reason     string `json:"reason"`
		Why        string `json:"why"`
	} `json:"capabilities"`
	Volumes []struct {
		Source string `json:"source"`
		Target string `json:"target"`
		Mode   string `json:"mode"`
		Zone   string `json:"zone"`
		Bytes  int64  `json:"bytes"`
		Files  int64  `json:"files"`
	} `json:"volumes"`
	Limits map[string]string `json:"limits"`
	Env    []string          `json:"env"`
	Digest string            `json:"digest"`
}

func (c checkedRun) message() *pb.CheckSessionResponse {
	m := &pb.CheckSessionResponse{Starts: c.Starts, Program: text(c.Program), Argv: texts(c.Argv), Dir: text(c.Dir), Pack: text(c.Pack), Version: text(c.Version),
		PackDigest: text(c.PackDigest), Tier: c.Tier, Home: c.Home, Asks: c.Asks, Limits: c.Limits, Env: texts(c.Env), Digest: c.Digest}
	for _, r := range c.Capabilities {
		m.Capabilities = append(m.Capabilities, &pb.CheckedCapability{Capability: text(r.Capability), Meaning: text(r.Meaning), Outcome: r.Outcome, Broad: r.Broad,
			Stops: r.Stops, Reason: text(r.Reason), Why: text(r.Why)})
	}
	for _, v := range c.Volumes {
		m.Volumes = append(m.Volumes, &pb.CheckedVolume{Source: text(v.Source), Target: text(v.Target), Mode: v.Mode, Zone: v.Zone, Bytes: v.Bytes, Files: v.Files})
	}
	return m
}

// exitDenied is how `ambit run` ends whose launch is denied.
const exitDenied = 126

func (s sessions) CheckSession(ctx context.Context, r *connect.Request[pb.CheckSessionRequest]) (*connect.Response[pb.CheckSessionResponse], error) {
	asked := r.Msg.GetSession()
	args, _, err := s.runOf(asked, "--check")
	if err != nil {
		return nil, failure(err)
	}
	var c checkedRun
	err = s.commandOf(ctx, patience, at{dir: s.dirOf(asked)}, &c, args...)
	if denied, ok := errors.AsType[*commandError](err); ok && denied.status == exitDenied && c.Digest != "" {
		err = nil // that is the answer
	}
	if none, ok := errors.AsType[*fs.PathError](err); ok && none.Op == "chdir" {
		err = unmet("dir: " + text(none.Error()))
	}
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(c.message()), nil
}
