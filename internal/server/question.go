package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/principal"
	"ambit.dev/ambit/internal/store"
)

// questions is the QuestionService.
type questions struct{ *Server }

// waiting are the questions of a principal that take an answer now.
func (s *Server) waiting(ctx context.Context, who string) ([]store.Approval, error) {
	stamp, err := s.stamp(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.asked(ctx, stamp)
	return s.waitingOf(who, all), err
}

// asked are the questions of everybody, of a list with this stamp.
func (s *Server) asked(ctx context.Context, stamp string) ([]store.Approval, error) {
	return s.recentAsked.get(stamp, rowsFresh, func() ([]store.Approval, error) {
		return read(ctx, s.list, func(ctx context.Context, l *store.List) ([]store.Approval, error) { return l.Approvals(ctx) })
	})
}

// waitingOf are those of some questions that are a principal's and take an answer now.
func (s *Server) waitingOf(who string, all []store.Approval) (some []store.Approval) {
	now := s.cfg.Now()
	for _, q := range all {
		if principal.Sees(who, q.Principal) && q.Answer == nil && !q.Withdrawn && now.Before(q.Expires) {
			some = append(some, q)
		}
	}
	return some
}

func questionKey(q store.Approval) string { return fmt.Sprintf("%020d %s", q.Asked.UnixNano(), q.ID) }

func (s questions) ListQuestions(ctx context.Context, r *connect.Request[pb.ListQuestionsRequest]) (*connect.Response[pb.ListQuestionsResponse], error) {
	all, err := s.waiting(ctx, callerOf(ctx).Principal)
	if err != nil {
		return nil, failure(err)
	}
	some, next, err := page(s.tokens, callerOf(ctx), r.Msg, all, questionKey, false)
	if err != nil {
		return nil, failure(err)
	}
	m := &pb.ListQuestionsResponse{NextPageToken: next}
	for _, q := range some {
		m.Questions = append(m.Questions, question(q))
	}
	return connect.NewResponse(m), nil
}

// question is a row as a message.
func question(q store.Approval) *pb.Question {
	m := &pb.Question{Id: q.ID, Session: q.Session, Pack: q.Pack, Program: text(q.Program), Pid: int32(q.PID), Argv: texts(q.Argv),
		Capability: text(q.Capability.Display()), Meaning: text(q.Capability.Describe()), Reason: text(q.Reason), Sensitive: text(q.Sensitive),
		Asked: moment(q.Asked), Expires: moment(q.Expires), Organisation: text(principal.Org(q.Principal))}
	for _, o := range q.Offers {
		m.Offers = append(m.Offers, &pb.Offer{Capability: text(o.Capability.Display()), Scope: o.Scope, Words: text(o.Words), Broad: o.Broad})
	}
	return m
}

func (s questions) WatchQuestions(ctx context.Context, _ *connect.Request[pb.WatchQuestionsRequest], out *connect.ServerStream[pb.WatchQuestionsResponse]) error {
	defer s.watched.join(ctx)()
	who, shown := callerOf(ctx).Principal, map[string]bool{}
	_, next := s.watched.later()
	all, err := s.waiting(ctx, who) // at once; what others are told meanwhile comes next
	if err != nil {
		return failure(err)
	}
	for first := true; ; first = false {
		waits := make(map[string]bool, len(all))
		for _, q := range all {
			waits[q.ID] = true
		}
		for id := range shown {
			if !waits[id] {
				delete(shown, id)
				if err := out.Send(&pb.WatchQuestionsResponse{Change: &pb.WatchQuestionsResponse_Over{Over: id}}); err != nil {
					return err
				}
			}
		}
		slices.SortFunc(all, func(a, b store.Approval) int { return a.Asked.Compare(b.Asked) })
		for _, q := range all {
			if shown[q.ID] {
				continue
			}
			shown[q.ID] = true
			if err := out.Send(&pb.WatchQuestionsResponse{Change: &pb.WatchQuestionsResponse_Put{Put: question(q)}}); err != nil {
				return err
			}
		}
		if first {
			if err := out.Send(&pb.WatchQuestionsResponse{Change: &pb.WatchQuestionsResponse_CaughtUp{CaughtUp: true}}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-next:
		}
		var now seen
		if now, next = s.watched.later(); now.err != nil {
			return failure(now.err)
		}
		all = s.waitingOf(who, now.all)
	}
}

func (s questions) AnswerQuestion(ctx context.Context, r *connect.Request[pb.AnswerQuestionRequest]) (*connect.Response[pb.AnswerQuestionResponse], error) {
	q, err := s.ofCaller(ctx, r.Msg.GetId())
	if err != nil {
		return nil, failure(err)
	}
	ans, err := s.answer(callerOf(ctx), r.Msg, q)
	if err != nil {
		return nil, failure(err)
	}
	if err := s.list.use(func(l *store.List) error { return l.AnswerApproval(ctx, q.ID, ans, s.cfg.Now()) }); err != nil {
		return nil, failure(err)
	}
	s.watched.answered(q.ID)
	m := &pb.AnswerQuestionResponse{Capability: text(ans.Capability.Display()), Verdict: r.Msg.GetVerdict(), Span: spanOf(ans.Span), Until: moment(ans.Until)}
	s.metrics.answers.Add(1, ans.Outcome.String())
	// The answer stands; whether it was taken is only told.
	m.Taken = s.taken(ctx, q.ID)
	return connect.NewResponse(m), nil
}

// ofCaller is a question of the caller's. One of somebody else is none.
func (s *Server) ofCaller(ctx context.Context, id string) (store.Approval, error) {
	q, err := read(ctx, s.list, func(ctx context.Context, l *store.List) (store.Approval, error) { return l.Approval(ctx, id) })
	if err == nil && !principal.Sees(callerOf(ctx).Principal, q.Principal) {
		return store.Approval{}, notFound("question", id)
	}
	return q, err
}

// answer reads what a caller answers. Whoever asked compares it with what was
// offered once more.
func (s *Server) answer(caller Caller, r *pb.AnswerQuestionRequest, q store.Approval) (ans store.Answer, err error) {
	ans.By = "the API"
	if caller.By != "" {
		ans.By += ", by " + caller.By
	}
	switch r.GetVerdict() {
	case pb.Verdict_VERDICT_ALLOW:
		ans.Outcome = grant.Allow
	case pb.Verdict_VERDICT_DENY:
		ans.Outcome = grant.Deny
	default:
		return ans, invalid("verdict: expected VERDICT_ALLOW or VERDICT_DENY")
	}
	if ans.Span, ans.Until, err = s.lifespan(r); err != nil {
		return ans, err
	}
	ans.Capability, err = chosen(r, ans.Outcome, q)
	return ans, err
}

// chosen finds the offer that is meant.
//
// Security: what is wide, or reaches secrets, is allowed only to who says so.
func chosen(r *pb.AnswerQuestionRequest, outcome grant.Outcome, q store.Approval) (capability.Capability, error) {
	if r.GetScope() == "" && outcome == grant.Deny {
		return q.Capability, nil
	}
	for i, o := range q.Offers {
		if r.GetScope() == "" && i == 0 || r.GetScope() == o.Scope || r.GetScope() == o.Capability.Display() {
			if o.Broad && outcome == grant.Allow && !r.GetBroad() {
				return capability.Capability{}, unmet(text(o.Capability.Display()) + " is broad, or reaches secrets; say broad if that is what is meant")
			}
			return o.Capability, nil
		}
	}
	return capability.Capability{}, invalid("scope: the question does not offer it")
}

func (s *Server) lifespan(r *pb.AnswerQuestionRequest) (span grant.Span, until time.Time, err error) {
	if r.GetSpan() != pb.Span_SPAN_UNTIL && r.GetLifetime() != nil {
		return span, until, invalid("lifetime: goes with SPAN_UNTIL")
	}
	switch r.GetSpan() {
	case pb.Span_SPAN_UNSPECIFIED, pb.Span_SPAN_ONCE:
		return grant.Once, until, nil
	case pb.Span_SPAN_SESSION:
		return grant.Session, until, nil
	case pb.Span_SPAN_ALWAYS:
		return grant.Always, until, nil
	case pb.Span_SPAN_UNTIL:
		d := r.GetLifetime()
		if !d.IsValid() || d.AsDuration() < time.Second || d.AsDuration() > maxLifetime {
			return span, until, invalid("lifetime: expected a second or more, and a hundred years at most")
		}
		return grant.Until, s.cfg.Now().Add(d.AsDuration()).Truncate(time.Second).UTC(), nil
	}
	return span, until, invalid("span: unknown")
}

const maxLifetime = 100 * 365 * 24 * time.Hour

// taken waits a moment until the session has closed the question.
func (s *Server) taken(ctx context.Context, id string) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := s.cfg.Now().Add(2 * time.Second); s.cfg.Now().Before(end); {
		q, err := read(ctx, s.list, func(ctx context.Context, l *store.List) (store.Approval, error) { return l.Approval(ctx, id) })
		if err != nil || !q.Closed.IsZero() {
			return err == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return false
}

func spanOf(s grant.Span) pb.Span {
	switch s {
	case grant.Once:
		return pb.Span_SPAN_ONCE
	case grant.Session:
		return pb.Span_SPAN_SESSION
	case grant.Always:
		return pb.Span_SPAN_ALWAYS
	case grant.Until:
		return pb.Span_SPAN_UNTIL
	}
	return pb.Span_SPAN_UNSPECIFIED
}
