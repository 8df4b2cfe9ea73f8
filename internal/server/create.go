package server

import (
	"context"
	"fmt"
	"path/filepath"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/keep"
)

func (s sessions) CreateSession(ctx context.Context, r *connect.Request[pb.CreateSessionRequest]) (*connect.Response[pb.CreateSessionResponse], error) {
	caller := callerOf(ctx)
	defer s.standby.hold()()
	follow := s.follow()
	id, by, err := s.put(ctx, caller, r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	defer by.discard() // unless it was told
	defer s.shelf.hold(id)()
	if err := s.stillKept(id, r.Msg.GetIdempotencyKey()); err != nil {
		return nil, failure(err)
	}
	if err := s.recordCreate(ctx, caller, id, r); err != nil {
		return nil, failure(err)
	}
	before := follow.there()
	if err := s.keeper(id, by); err != nil {
		return nil, failure(err)
	}
	if err := s.untilBegun(ctx, caller.Principal, id, follow, before); err != nil {
		return nil, failure(err)
	}
	m, err := s.find(ctx, caller.Principal, id)
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.CreateSessionResponse{Session: m}), nil
}

// put makes the job of a request, or finds the one that an earlier request with
// the same key made. What stands by, where something does, was told of the job.
func (s *Server) put(ctx context.Context, caller Caller, r *pb.CreateSessionRequest) (id string, by *ready, err error) {
	id = audit.NewID("s")
	j, err := s.jobOf(caller, id, r)
	if err != nil {
		return "", nil, err
	}
	j.Trace, j.TraceState = traceOf(ctx).parent.String(), traceOf(ctx).state
	key := r.GetIdempotencyKey()
	if key == "" { // nobody else has it: the launcher prepares while its folder is made
		by = s.standby.take(j)
	}
	if err := keep.Put(s.job(id), j); err != nil {
		by.discard()
		return "", nil, err
	}
	if key != "" {
		if id, err = s.claimed(caller.Principal+"\x00"+key, id, j.Digest); err != nil {
			return "", nil, err
		}
		if j, err = keep.Load(s.job(id)); err == nil {
			by = s.standby.take(j)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.active[id]; !known {
		s.active[id] = false
		s.begun++
	}
	return id, by, nil
}

// plainSession refuses what no command line can have, and what would mean something
// else here than where the caller is.
func plainSession(r *pb.CreateSessionRequest) error {
	if len(r.GetArgv()) == 0 && r.GetPack() == "" {
		return invalid("argv: nothing to run; give a command, or a pack")
	}
	for _, v := range r.GetVolumes() {
		if !filepath.IsAbs(v) {
			return invalid("volume " + capability.Printable(v) + ": want SOURCE:TARGET:ro|rw|append|cow with absolute paths")
		}
	}
	return plain(r, r.GetAllow(), r.GetDeny(), r.GetVolumes(), pairs(r.GetLimits()), []string{r.GetPack(), r.GetHome(), r.GetTier(), r.GetAskBy(), r.GetChecked()})
}

// runOf makes the arguments of `ambit run` for a request, behind the flags that stand
// first; it is the one place that does. size is that of the terminal; nil: it has none.
//
// Security: each text stands behind the flag that it is for, or behind "--". It is
// the launcher that reads, decides and refuses, as for a person at a terminal.
func (s *Server) runOf(r *pb.CreateSessionRequest, first ...string) (args []string, size *keep.Size, err error) {
	if err := plainSession(r); err != nil {
		return nil, nil, err
	}
	ask := map[pb.Ask]string{pb.Ask_ASK_UNSPECIFIED: "none", pb.Ask_ASK_NOBODY: "none", pb.Ask_ASK_QUEUE: "queue"}[r.GetAsk()]
	if ask == "" {
		return nil, nil, invalid("ask: unknown")
	}
	args = append(append([]string{"run"}, first...), "--ask="+ask)
	for flag, value := range map[string]string{"pack": r.GetPack(), "home": r.GetHome(), "tier": r.GetTier(), "ask-by": r.GetAskBy(), "checked": r.GetChecked()} {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	if d := r.GetAskTimeout(); d != nil {
		if !d.IsValid() || d.AsDuration() < 0 {
			return nil, nil, invalid("ask_timeout: expected how long")
		}
		args = append(args, "--ask-timeout="+d.AsDuration().String())
	}
	size, term, err := terminalOf(r)
	if err != nil {
		return nil, nil, err
	}
	args = append(args, term...) // env, behind it, may say another
	for _, list := range []struct {
		flag   string
		values []string
	}{{"allow", r.GetAllow()}, {"deny", r.GetDeny()}, {"volume", r.GetVolumes()}, {"env", pairs(r.GetEnv())}, {"limit", pairs(r.GetLimits())}} {
		for _, v := range list.values {
			args = append(args, "--"+list.flag+"="+v)
		}
	}
	return append(append(args, "--"), r.GetArgv()...), size, nil
}

// dirOf is where the program of a request is started.
func (s *Server) dirOf(r *pb.CreateSessionRequest) string {
	if r.GetDir() == "" {
		return s.cfg.Home
	}
	return r.GetDir()
}

// jobOf makes the job of a request.
func (s *Server) jobOf(caller Caller, id string, r *pb.CreateSessionRequest) (keep.Job, error) {
	args, size, err := s.runOf(r, append([]string{"--state-dir=" + s.cfg.State, "--session-id=" + id}, forOrg(caller)...)...)
	if err != nil {
		return keep.Job{}, err
	}
	digest, err := digestOf(r)
	j := keep.Job{Principal: caller.Principal, Created: s.cfg.Now().Unix(), Path: s.cfg.Ambit, Dir: s.dirOf(r), Stdin: r.GetStdin(),
		Args: args, Digest: digest, Pack: r.GetPack(), Terminal: size}
	if len(r.GetArgv()) > 0 {
		j.Program = r.GetArgv()[0]
	}
	return j, err
}

// keeper starts what looks after a job, or gives it to one that stands by. Of several,
// one alone goes on.
func (s *Server) keeper(id string, by *ready) error {
	if !by.run(id) {
		s.metrics.begun.Add(1, byNew)
		return s.newKeeper(id)
	}
	s.metrics.begun.Add(1, by.launcher())
	go func() {
		<-by.ended
		if state, _, err := keep.Look(s.job(id)); err == nil && state == keep.Waiting {
			_ = s.newKeeper(id) // it was lost before it took the job
		}
	}()
	return nil
}

func (s *Server) newKeeper(id string) error {
	cmd := detached(s.cfg.Keeper, s.job(id))
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s, which has to lie beside ambit: %w", filepath.Base(s.cfg.Keeper), err)
	}
	go func() { _ = cmd.Wait() }() // how the job ended, its folder says
	return nil
}
