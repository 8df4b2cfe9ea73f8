package server

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/span"
)

// A Spans takes spans to be sent, and waits for nobody.
type Spans interface{ Put(...span.Span) }

// exportEvery is how often it is looked for records of traces.
const exportEvery = 250 * time.Millisecond

// Export makes spans of what is written to the log from now on, until ctx ends: of the
// sessions of this state folder, whoever started them.
func (s *Server) Export(ctx context.Context) {
	if s.cfg.Spans == nil {
		return
	}
	r := &span.Reader{Begun: s.launchOf}
	var log *audit.Follower
	tick := time.NewTicker(exportEvery)
	defer tick.Stop()
	for {
		if log == nil {
			log, _ = audit.Follow(s.log()) // or a moment later
		}
		for log != nil {
			all, err := log.Next()
			if err != nil {
				log = nil // what was not read is not made up for
			}
			if len(all) == 0 {
				break
			}
			s.cfg.Spans.Put(r.Spans(all)...)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// launchOf finds the record of a session's launch.
func (s *Server) launchOf(id string) (audit.Record, bool) {
	found, _, err := audit.Page(s.log(), 1, audit.Query{Hints: []string{audit.HintSession(id), audit.HintKind(audit.SessionStart)},
		Keep: func(r audit.Record) bool { return r.Session == id && r.Kind == audit.SessionStart }})
	if err != nil || len(found) == 0 {
		return audit.Record{}, false
	}
	return found[0], true
}

// called tells of a call that was answered.
func (s traces) called(ctx context.Context, t traced, procedure string, began time.Time, err error) {
	if route, ok := RouteOf(procedure); ok {
		s.log.called(ctx, route, time.Since(began), err)
	}
	if s.spans == nil || !t.parent.Sampled() {
		return
	}
	service, method, _ := strings.Cut(strings.TrimPrefix(procedure, "/"), "/")
	call := span.Span{Trace: t.parent.Trace(), ID: t.parent.Span(), Parent: t.caller.Span(), State: t.state, Name: strings.TrimPrefix(procedure, "/"),
		Kind: span.Server, Start: began, End: time.Now(), Attributes: []span.Attribute{{Name: "rpc.system", Text: "connect_rpc"},
			{Name: "rpc.service", Text: service}, {Name: "rpc.method", Text: method}, {Name: "rpc.connect_rpc.error_code", Text: errorCode(err)}}}
	switch connect.CodeOf(err) {
	case connect.CodeInternal, connect.CodeUnavailable, connect.CodeDataLoss, connect.CodeUnknown:
		if err != nil {
			call.Failed = code(err)
		}
	default: // a caller's mistake is no failure of the host
	}
	s.spans.Put(call)
}

func errorCode(err error) string {
	if err == nil {
		return ""
	}
	return code(err)
}
