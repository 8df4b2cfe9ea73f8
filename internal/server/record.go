package server

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/core/trace"
)

// records is the AuditService. The log is one, for all of a state folder: what is
// read of it is the caller's, and what is nobody's.
type records struct{ *Server }

func record(r audit.Record) *pb.Record {
	return &pb.Record{Seq: r.Seq, Time: moment(r.Time), Id: text(r.ID), Kind: string(r.Kind), Session: text(r.Session),
		Pack: text(r.Pack), Body: text(string(r.Body)), Prev: r.Prev, Trace: r.Trace.Trace(), Organisation: text(principal.Org(r.Principal))}
}

// query makes a query of a filter.
func query(caller Caller, f *pb.RecordFilter) (audit.Query, error) {
	q := audit.Query{}
	if f.GetSession() != "" {
		q.Hints = append(q.Hints, audit.HintSession(f.GetSession()))
	}
	if f.GetKind() != "" {
		if !slices.Contains(audit.Kinds(), audit.Kind(f.GetKind())) {
			return q, invalid("kind: expected one of " + strings.Trim(strings.Join(kinds(), ", "), " "))
		}
		q.Hints = append(q.Hints, audit.HintKind(audit.Kind(f.GetKind())))
	}
	if !slices.Contains([]string{"", "allow", "ask", "deny"}, f.GetOutcome()) {
		return q, invalid("outcome: expected allow, ask or deny")
	}
	if f.GetSince() != nil && !f.GetSince().IsValid() || f.GetUntil() != nil && !f.GetUntil().IsValid() {
		return q, invalid("since, until: expected a time")
	}
	if f.GetPack() != "" {
		q.Hints = append(q.Hints, audit.HintPack(f.GetPack()))
	}
	if f.GetOutcome() != "" {
		q.Hints = append(q.Hints, audit.HintOutcome(f.GetOutcome()))
	}
	if id := f.GetTrace(); id != "" {
		if !trace.IsTrace(id) {
			return q, invalid("trace: expected the id of one, 32 hexadecimal digits in lower case")
		}
		q.Hints = append(q.Hints, audit.HintTrace(id))
	}
	if f.GetCapability() != "" {
		q.Any = audit.AnyCapability(f.GetCapability())
	}
	if f.GetSince() != nil {
		q.Since = f.GetSince().AsTime()
	}
	if f.GetUntil() != nil {
		q.Until = f.GetUntil().AsTime()
	}
	q.Keep = func(r audit.Record) bool {
		return seesRecord(caller.Principal, r.Principal) &&
			(f.GetSession() == "" || r.Session == f.GetSession()) && (f.GetKind() == "" || string(r.Kind) == f.GetKind()) &&
			(f.GetPack() == "" || r.Pack == f.GetPack()) && (f.GetTrace() == "" || r.Trace.Trace() == f.GetTrace()) &&
			(f.GetSince() == nil || !r.Time.Before(f.GetSince().AsTime())) && (f.GetUntil() == nil || r.Time.Before(f.GetUntil().AsTime())) &&
			about(r, f.GetCapability(), f.GetOutcome())
	}
	return q, nil
}

func kinds() (all []string) {
	for _, k := range audit.Kinds() {
		all = append(all, string(k))
	}
	return all
}

// about reports whether the body of a record names a capability that begins so,
// and this outcome.
func about(r audit.Record, capability, outcome string) bool {
	if capability == "" && outcome == "" {
		return true
	}
	var b struct {
		Capability audit.Text `json:"capability"`
		Outcome    string     `json:"outcome"`
	}
	if json.Unmarshal(r.Body, &b) != nil {
		return false
	}
	_, begins := strings.CutPrefix(string(b.Capability), capability)
	return begins && (outcome == "" || b.Outcome == outcome)
}

func (s records) ListRecords(ctx context.Context, r *connect.Request[pb.ListRecordsRequest]) (*connect.Response[pb.ListRecordsResponse], error) {
	caller := callerOf(ctx)
	q, err := query(caller, r.Msg.GetFilter())
	if err != nil {
		return nil, err
	}
	list, err := listOf(r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	after, err := s.tokens.read(caller, list, r.Msg.GetPageToken())
	if err != nil {
		return nil, err
	}
	most, err := pageSize(r.Msg)
	if err != nil {
		return nil, err
	}
	if after != "" {
		if q.Before, err = strconv.ParseUint(after, 10, 64); err != nil {
			return nil, failure(err)
		}
	}
	all, more, err := s.newest.Page(most, q)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // nothing was recorded yet
	}
	if err != nil {
		return nil, failure(err)
	}
	m := &pb.ListRecordsResponse{}
	for _, r := range all {
		m.Records = append(m.Records, record(r))
	}
	if more {
		m.NextPageToken = s.tokens.make(caller, list, strconv.FormatUint(all[len(all)-1].Seq, 10))
	}
	return connect.NewResponse(m), nil
}

func (s records) GetRecord(ctx context.Context, r *connect.Request[pb.GetRecordRequest]) (*connect.Response[pb.GetRecordResponse], error) {
	found, err := audit.Lookup(s.log(), r.Msg.GetRef())
	if errors.Is(err, os.ErrNotExist) { // nothing was recorded yet
		err = notFound("record", r.Msg.GetRef())
	}
	if err == nil && !seesRecord(callerOf(ctx).Principal, found.Principal) {
		err = notFound("record", r.Msg.GetRef())
	}
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.GetRecordResponse{Record: record(found)}), nil
}

func (s records) StreamRecords(ctx context.Context, r *connect.Request[pb.StreamRecordsRequest], out *connect.ServerStream[pb.StreamRecordsResponse]) error {
	q, err := query(callerOf(ctx), r.Msg.GetFilter())
	if err != nil {
		return err
	}
	log, err := audit.Follow(s.log())
	if err != nil {
		return failure(err)
	}
	send := func(r audit.Record) error {
		if !q.Keep(r) {
			return nil
		}
		return out.Send(&pb.StreamRecordsResponse{Record: record(r)})
	}
	last, err := s.past(ctx, r.Msg.GetFrom(), send)
	if err != nil {
		return failure(err)
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		all, err := log.Next()
		if err != nil {
			return failure(err)
		}
		for _, r := range all {
			if r.Seq <= last { // it was there already
				continue
			}
			if err := send(r); err != nil {
				return err
			}
		}
		if len(all) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// past sends the records from a number on that there are, and says the last one.
func (s *Server) past(ctx context.Context, from uint64, send func(audit.Record) error) (last uint64, err error) {
	if from == 0 {
		return 0, nil
	}
	for r, err := range audit.Read(s.log()) {
		if errors.Is(err, os.ErrNotExist) {
			return 0, nil // nothing was recorded yet
		}
		if err != nil {
			return last, err
		}
		if last = r.Seq; last < from {
			continue
		}
		if err := errors.Join(ctx.Err(), send(r)); err != nil {
			return last, err
		}
	}
	return last, nil
}

func (s records) VerifyLog(ctx context.Context, _ *connect.Request[pb.VerifyLogRequest]) (*connect.Response[pb.VerifyLogResponse], error) {
	s.verifying.Lock() // one at a time: it reads everything
	defer s.verifying.Unlock()
	res, err := audit.Verify(s.log(), audit.VerifyOptions{})
	m := &pb.VerifyLogResponse{Intact: err == nil, Records: res.Records, Head: text(res.Head.Note), Lost: res.Lost}
	if fault, ok := errors.AsType[*audit.Fault](err); ok {
		m.Fault, err = text(fault.Error()), nil
	}
	if errors.Is(err, os.ErrNotExist) {
		err = unmet("nothing was recorded yet")
	}
	if err != nil {
		return nil, failure(err)
	}
	if principal.Org(callerOf(ctx).Principal) != "" { // how much others did is not an organisation's to know
		m = &pb.VerifyLogResponse{Intact: m.GetIntact()}
	}
	return connect.NewResponse(m), nil
}
