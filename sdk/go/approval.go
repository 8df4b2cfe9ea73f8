package ambit

import (
	"context"
	"iter"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// A Question is what a running program has asked for. Its texts come from the
// program: show them as text.
type Question struct {
	*pb.Question

	client *Client
}

// Waiting yields the questions that wait and then each one as it is put, until the
// loop or the context ends. After an error it ends. One that is answered at once by
// somebody else may not be seen.
func (c *Client) Waiting(ctx context.Context) iter.Seq2[Question, error] {
	return func(yield func(Question, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		watch, err := c.Questions.WatchQuestions(ctx, connect.NewRequest(&pb.WatchQuestionsRequest{}))
		if err != nil {
			yield(Question{}, err)
			return
		}
		defer watch.Close() //nolint:errcheck // nothing was written
		for watch.Receive() {
			if q := watch.Msg().GetPut(); q != nil && !yield(Question{q, c}, nil) {
				return
			}
		}
		if err := watch.Err(); err != nil && ctx.Err() == nil {
			yield(Question{}, err)
		}
	}
}

// An Answer says how much is meant, and for how long. The zero value is exactly what
// was asked, until the program ends.
type Answer struct {
	Scope string // of one of the question's offers
	Span  pb.Span
	For   time.Duration // with pb.Span_SPAN_UNTIL
	Broad bool          // allow also what is wide, or reaches secrets
}

// Allow allows what was asked.
func (q Question) Allow(ctx context.Context, a Answer) error {
	return q.answer(ctx, pb.Verdict_VERDICT_ALLOW, a)
}

// Deny refuses it.
func (q Question) Deny(ctx context.Context, a Answer) error {
	return q.answer(ctx, pb.Verdict_VERDICT_DENY, a)
}

func (q Question) answer(ctx context.Context, v pb.Verdict, a Answer) error {
	r := &pb.AnswerQuestionRequest{Id: q.GetId(), Verdict: v, Scope: a.Scope, Span: a.Span, Broad: a.Broad}
	if a.For != 0 {
		r.Lifetime = durationpb.New(a.For)
	}
	_, err := q.client.Questions.AnswerQuestion(ctx, connect.NewRequest(r))
	return err
}

// Standing yields the grants and denials that stand, oldest first. After an error it
// ends.
func (c *Client) Standing(ctx context.Context) iter.Seq2[*pb.Grant, error] {
	return func(yield func(*pb.Grant, error) bool) {
		for token := ""; ; {
			m, err := c.Grants.ListGrants(ctx, connect.NewRequest(&pb.ListGrantsRequest{PageToken: token}))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, g := range m.Msg.GetGrants() {
				if !yield(g, nil) {
					return
				}
			}
			if token = m.Msg.GetNextPageToken(); token == "" {
				return
			}
		}
	}
}

// Grant grants capabilities to every command that is run without a pack, or, with a
// pack's id or folder, to that, until they are revoked: all of them, or none.
func (c *Client) Grant(ctx context.Context, pack string, capabilities ...string) ([]*pb.Grant, error) {
	m, err := c.Grants.AddGrants(ctx, connect.NewRequest(&pb.AddGrantsRequest{Pack: pack, Capabilities: capabilities, Verdict: pb.Verdict_VERDICT_ALLOW}))
	if err != nil {
		return nil, err
	}
	return m.Msg.GetGrants(), nil
}

// Revoke takes grants back, all that are named or none, and says what sessions that
// run have lost by it.
func (c *Client) Revoke(ctx context.Context, ids ...string) ([]*pb.Loss, error) {
	m, err := c.Grants.RevokeGrants(ctx, connect.NewRequest(&pb.RevokeGrantsRequest{Ids: ids}))
	if err != nil {
		return nil, err
	}
	return m.Msg.GetLosses(), nil
}
