package server

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

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

// following is the end of the log, which is being found while something else is done.
type following struct {
	done chan struct{} // closed when it is found
	log  *audit.Follower
	err  error
}

func (s *Server) follow() *following {
	f := &following{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.log, f.err = audit.Follow(s.log())
	}()
	return f
}

// there reports whether it is found: what is recorded from now on will be read.
func (f *following) there() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// begin counts a session that has begun.
func (s *Server) begin(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[id] = true
	s.begun++
}

// untilBegun waits until the launch of a session is recorded, it has ended, or it
// waits for somebody's answer. A launch that was refused is an error. before says that
// the end of the log was found before there was a launch.
func (s *Server) untilBegun(ctx context.Context, principal, id string, follow *following, before bool) error {
	<-follow.done
	log, err := follow.log, follow.err
	if err != nil {
		return err
	}
	if !before {
		if began, err := s.launched(id); err != nil || began {
			if began {
				s.begin(id)
			}
			return err
		}
	}
	tick := time.NewTicker(soonEvery)
	defer tick.Stop()
	for n, end := 0, s.cfg.Now().Add(beginsWithin); s.cfg.Now().Before(end); n++ {
		all, err := log.Next()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(r audit.Record) bool { return r.Session == id && r.Kind == audit.SessionStart }) {
			s.begin(id)
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

// ofSession are the records of a kind that a session has.
func ofSession(id string, k audit.Kind) audit.Query {
	return audit.Query{Hints: []string{audit.HintSession(id), audit.HintKind(k)}, Keep: func(r audit.Record) bool { return r.Session == id && r.Kind == k }}
}

// launched looks for the record of a session's launch.
func (s *Server) launched(id string) (bool, error) {
	began, _, err := audit.Page(s.log(), 1, ofSession(id, audit.SessionStart))
	if errors.Is(err, os.ErrNotExist) {
		err = nil // it failed before there was a log
	}
	return len(began) > 0, err
}

// refused is why a session that has ended never began; nil where it did.
func (s *Server) refused(id string, how keep.End) error {
	if began, err := s.launched(id); err != nil || began {
		return err
	}
	why := s.said(id, how)
	if how.Exit != 126 {
		return unmet(text(why))
	}
	decisions, _, err := audit.Page(s.log(), maxPage, ofSession(id, audit.Decision))
	if err != nil {
		return err
	}
	slices.Reverse(decisions)
	return denied(why, decisions...)
}

// denied is the error of what was denied, with those of some decisions that denied it.
func denied(why string, decisions ...audit.Record) error {
	err := connect.NewError(connect.CodePermissionDenied, errors.New(text(why)))
	for _, r := range decisions {
		d, ok := denial(r)
		if !ok {
			continue
		}
		detail, bad := connect.NewErrorDetail(d)
		if bad != nil {
			return bad
		}
		err.AddDetail(detail)
	}
	return err
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
