package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/keep"
	"ambit.dev/ambit/internal/store"
)

// beginsWithin is how long a request waits for its session to begin; after that
// it is told as starting.
const beginsWithin = 10 * time.Second

// beginEvery is how often it is looked whether it has; more often for as long as one
// takes whose launcher stood by.
const (
	beginEvery = 5 * time.Millisecond
	soonEvery  = time.Millisecond
	soon       = 10 // looks
)

func (s sessions) CreateSession(ctx context.Context, r *connect.Request[pb.CreateSessionRequest]) (*connect.Response[pb.CreateSessionResponse], error) {
	caller := callerOf(ctx)
	id, err := s.put(caller, r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	if err := s.recordCreate(ctx, caller, id, r); err != nil {
		return nil, failure(err)
	}
	begun, err := audit.Follow(s.log()) // before it is begun
	if err != nil {
		return nil, failure(err)
	}
	if err := s.keeper(id); err != nil {
		return nil, failure(err)
	}
	if err := s.untilBegun(ctx, caller.Principal, id, begun); err != nil {
		return nil, failure(err)
	}
	m, err := s.find(ctx, caller.Principal, id)
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.CreateSessionResponse{Session: m}), nil
}

// put makes the job of a request, or finds the one that an earlier request with
// the same key made.
func (s *Server) put(caller Caller, r *pb.CreateSessionRequest) (id string, err error) {
	if len(r.GetIdempotencyKey()) > 128 {
		return "", invalid("idempotency_key: at most 128 characters")
	}
	id = audit.NewID("s")
	j, err := s.jobOf(caller, id, r)
	if err != nil {
		return "", err
	}
	if err := keep.Put(s.job(id), j); err != nil {
		return "", err
	}
	if key := r.GetIdempotencyKey(); key != "" {
		if id, err = s.claimed(caller.Principal+"\x00"+key, id, j.Digest); err != nil {
			return "", err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.active[id]; !known {
		s.active[id] = false
		s.begun++
	}
	return id, nil
}

// claimed is the id of the job that a key stands for: this one, or an earlier one
// that was the same.
func (s *Server) claimed(key, id, digest string) (stands string, err error) {
	stands, err = s.claim(key, id)
	if err != nil || stands != id {
		err = errors.Join(err, os.RemoveAll(s.job(id)))
	}
	if err == nil {
		err = s.same(stands, digest)
	}
	return stands, err
}

// keys is where idempotency keys are kept: a file each, with the session's id.
func (s *Server) keys() string { return filepath.Join(s.cfg.State, "host", "keys") }

// claim makes a key stand for a session, unless it does for another already.
func (s *Server) claim(key, id string) (stands string, err error) {
	sum := sha256.Sum256([]byte(key))
	name := filepath.Join(s.keys(), hex.EncodeToString(sum[:]))
	aside := name + "." + id
	if err := os.WriteFile(aside, []byte(id), 0o600); err != nil {
		return "", err
	}
	err = os.Link(aside, name) // whole or not at all, and the first one stands
	if err = errors.Join(err, os.Remove(aside)); err == nil {
		return id, nil
	}
	if !errors.Is(err, os.ErrExist) {
		return "", err
	}
	was, err := os.ReadFile(name)
	return string(was), err
}

// same refuses a key that came with another request before.
func (s *Server) same(id, digest string) error {
	j, err := keep.Load(s.job(id))
	if errors.Is(err, os.ErrNotExist) {
		return unmet("the session of this idempotency key is not kept any more")
	}
	if err == nil && j.Digest != digest {
		return connect.NewError(connect.CodeAlreadyExists, errors.New("the idempotency key came with another request before"))
	}
	return err
}

// jobOf makes the command line of a request.
//
// Security: each text stands behind the flag that it is for, or behind "--". It is
// the launcher that reads, decides and refuses, as for a person at a terminal.
func (s *Server) jobOf(caller Caller, id string, r *pb.CreateSessionRequest) (keep.Job, error) {
	if err := plain(r); err != nil {
		return keep.Job{}, err
	}
	ask := map[pb.Ask]string{pb.Ask_ASK_UNSPECIFIED: "none", pb.Ask_ASK_NOBODY: "none", pb.Ask_ASK_QUEUE: "queue"}[r.GetAsk()]
	if ask == "" {
		return keep.Job{}, invalid("ask: unknown")
	}
	args := append([]string{"run", "--state-dir=" + s.cfg.State, "--session-id=" + id, "--ask=" + ask}, forOrg(caller)...)
	for flag, value := range map[string]string{"pack": r.GetPack(), "home": r.GetHome(), "tier": r.GetTier(), "ask-by": r.GetAskBy()} {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	if d := r.GetAskTimeout(); d != nil {
		if !d.IsValid() || d.AsDuration() < 0 {
			return keep.Job{}, invalid("ask_timeout: expected how long")
		}
		args = append(args, "--ask-timeout="+d.AsDuration().String())
	}
	size, err := terminalOf(r)
	if err != nil {
		return keep.Job{}, err
	}
	if size != nil {
		args = append(args, "--env=TERM="+cmp.Or(r.GetTerminal().GetTerm(), defaultTerm)) // env, behind it, may say another
	}
	for _, list := range []struct {
		flag   string
		values []string
	}{{"allow", r.GetAllow()}, {"deny", r.GetDeny()}, {"volume", r.GetVolumes()}, {"env", pairs(r.GetEnv())}, {"limit", pairs(r.GetLimits())}} {
		for _, v := range list.values {
			args = append(args, "--"+list.flag+"="+v)
		}
	}
	dir := r.GetDir()
	if dir == "" {
		dir = s.cfg.Home
	}
	sum, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	digest := sha256.Sum256(sum)
	j := keep.Job{Principal: caller.Principal, Created: s.cfg.Now().Unix(), Path: s.cfg.Ambit, Dir: dir, Stdin: r.GetStdin(),
		Args: append(append(args, "--"), r.GetArgv()...), Digest: hex.EncodeToString(digest[:]), Pack: r.GetPack(), Terminal: size}
	if len(r.GetArgv()) > 0 {
		j.Program = r.GetArgv()[0]
	}
	return j, err
}

// terminalOf is the size of the terminal that a request wants; nil: none.
func terminalOf(r *pb.CreateSessionRequest) (*keep.Size, error) {
	t := r.GetTerminal()
	if t == nil {
		return nil, nil
	}
	if len(r.GetStdin()) > 0 {
		return nil, invalid("terminal: a program that has one reads from it, and not stdin")
	}
	size, err := sizeOf(t.GetRows(), t.GetColumns())
	return &size, err
}

// maxStdin bounds what is kept of a request for a program to read.
const maxStdin = 1 << 20

// plain refuses what no command line can have, and what would mean something else
// here than where the caller is.
func plain(r *pb.CreateSessionRequest) error {
	switch {
	case len(r.GetArgv()) == 0 && r.GetPack() == "":
		return invalid("argv: nothing to run; give a command, or a pack")
	case r.GetDir() != "" && !filepath.IsAbs(r.GetDir()):
		return invalid("dir: expected an absolute path")
	case len(r.GetStdin()) > maxStdin:
		return invalid("stdin: at most 1 MiB")
	}
	for name := range r.GetEnv() {
		if name == "" || strings.ContainsRune(name, '=') {
			return invalid("env: expected names of variables")
		}
	}
	for _, v := range r.GetVolumes() {
		if !filepath.IsAbs(v) {
			return invalid("volumes: expected SOURCE:TARGET:ro|rw|append|cow with absolute paths")
		}
	}
	all := slices.Concat(r.GetArgv(), r.GetAllow(), r.GetDeny(), r.GetVolumes(), pairs(r.GetEnv()), pairs(r.GetLimits()), []string{r.GetPack(), r.GetHome(), r.GetTier(), r.GetAskBy(), r.GetDir(), r.GetTerminal().GetTerm()})
	if slices.ContainsFunc(all, func(s string) bool { return strings.ContainsRune(s, 0) }) {
		return invalid("a text has a NUL in it")
	}
	return nil
}

func pairs(m map[string]string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		all = append(all, name+"="+m[name])
	}
	return all
}

// keeper starts what looks after a job, or gives it to one that stands by. Of several,
// one alone goes on.
func (s *Server) keeper(id string) error {
	if r := s.standby.take(id); r != nil {
		go func() {
			<-r.ended
			if state, _, err := keep.Look(s.job(id)); err == nil && state == keep.Waiting {
				_ = s.newKeeper(id) // it was lost before it took the job
			}
		}()
		return nil
	}
	return s.newKeeper(id)
}

func (s *Server) newKeeper(id string) error {
	cmd := detached(s.cfg.Keeper, s.job(id))
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s, which has to lie beside ambit: %w", filepath.Base(s.cfg.Keeper), err)
	}
	go func() { _ = cmd.Wait() }() // how the job ended, its folder says
	return nil
}

// untilBegun waits until the launch of a session is recorded, it has ended, or it
// waits for somebody's answer. A launch that was refused is an error.
func (s *Server) untilBegun(ctx context.Context, principal, id string, log *audit.Follower) error {
	tick := time.NewTicker(soonEvery)
	defer tick.Stop()
	for n, end := 0, s.cfg.Now().Add(beginsWithin); s.cfg.Now().Before(end); n++ {
		all, err := log.Next()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(r audit.Record) bool { return r.Session == id && r.Kind == audit.SessionStart }) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.active[id] = true
			s.begun++
			return nil
		}
		if n == soon {
			tick.Reset(beginEvery)
		}
		state, how, err := keep.Look(s.job(id))
		switch {
		case err != nil:
			return err
		case state == keep.Ended:
			return s.refused(id, how)
		case state == keep.Lost:
			return nil
		case n%20 == 19 && s.asks(ctx, principal, id):
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func (s *Server) asks(ctx context.Context, principal, id string) bool {
	all, err := s.waiting(ctx, principal)
	return err == nil && slices.ContainsFunc(all, func(q store.Approval) bool { return q.Session == id })
}

// refused is why a session that has ended never began; nil where it did.
func (s *Server) refused(id string, how keep.End) error {
	hints := func(k audit.Kind) audit.Query {
		return audit.Query{Hints: []string{audit.HintSession(id), audit.HintKind(k)}, Keep: func(r audit.Record) bool { return r.Session == id && r.Kind == k }}
	}
	began, _, err := audit.Page(s.log(), 1, hints(audit.SessionStart))
	if errors.Is(err, os.ErrNotExist) {
		err = nil // it failed before there was a log
	}
	if err != nil || len(began) > 0 {
		return err
	}
	why := s.said(id, how)
	if how.Exit != 126 {
		return unmet(text(why))
	}
	denied := connect.NewError(connect.CodePermissionDenied, errors.New(text(why)))
	decisions, _, err := audit.Page(s.log(), maxPage, hints(audit.Decision))
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(decisions) {
		d, ok := denial(r)
		if !ok {
			continue
		}
		detail, err := connect.NewErrorDetail(d)
		if err != nil {
			return err
		}
		denied.AddDetail(detail)
	}
	return denied
}

// denial is a record of a decision that was not Allow, as the detail of an error.
func denial(r audit.Record) (*pb.Denial, bool) {
	body, err := r.Decode()
	b, ok := body.(*audit.DecisionBody)
	if err != nil || !ok || b.Outcome == "allow" {
		return nil, false
	}
	d := &pb.Denial{Id: r.ID, Capability: text(string(b.Capability))}
	for _, why := range b.Reasons {
		d.Reasons = append(d.Reasons, &pb.Reason{Rule: why.Rule, Text: text(string(why.Text)), Fix: text(string(why.Fix)), Grant: why.Grant})
	}
	return d, true
}

// said is what Ambit itself said of a session that failed.
func (s *Server) said(id string, how keep.End) string {
	if how.Error != "" {
		return how.Error
	}
	j, err := keep.Load(s.job(id))
	one := err == nil && j.Terminal != nil // one stream, which has Ambit's own words too
	var all strings.Builder
	for at := int64(0); all.Len() < maxMessage; {
		f, err := keep.Read(s.job(id), at)
		if err != nil {
			break
		}
		if at = f.Next; f.Stream == keep.Stderr || one {
			all.Write(f.Data)
		}
	}
	if why := complaint(all.String()); why != "" {
		return why
	}
	return "the session " + capability.Printable(id) + " did not begin"
}
