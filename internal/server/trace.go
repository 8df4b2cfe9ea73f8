package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/core/trace"
)

// The headers of W3C Trace Context, and the one that tells a caller which trace its
// call belongs to.
const (
	parentHeader   = "Traceparent"
	stateHeader    = "Tracestate"
	responseHeader = "Traceresponse"
)

// A traced is to which trace a call belongs, and under which span in it the call was
// made; what is done for the call belongs to the same trace.
type traced struct {
	caller trace.Parent // none: the trace begins here
	parent trace.Parent // with the span of the call
	state  string       // as the caller sent it
}

type tracedKey struct{}

// traceOf is to which trace the call of a context belongs.
func traceOf(ctx context.Context) traced {
	t, _ := ctx.Value(tracedKey{}).(traced)
	return t
}

// environment is that of a command that is run for the call.
func (t traced) environment() []string {
	return append(os.Environ(), "TRACEPARENT="+t.parent.String(), "TRACESTATE="+t.state)
}

// traces gives each call a trace: the caller's, or a new one. What is no traceparent, or
// comes twice, says nothing, as the standard wants it; the state goes with it.
type traces struct {
	spans Spans // nil: nobody wants spans
	log   *callLog
}

func (s traces) begin(ctx context.Context, h http.Header) (context.Context, traced) {
	t := newTraced(h, s.spans != nil)
	return context.WithValue(ctx, tracedKey{}, t), t
}

// newTraced is the trace of a call; sampled says whether one that begins here is kept.
func newTraced(h http.Header, sampled bool) (t traced) {
	if all := h.Values(parentHeader); len(all) == 1 {
		t.caller, _ = trace.Parse(all[0])
	}
	var span [8]byte
	_, _ = rand.Read(span[:]) // it never fails
	if t.caller.None() {
		var id [16]byte
		_, _ = rand.Read(id[:]) // as above
		t.parent = trace.Make(id, span, sampled)
		return t
	}
	t.parent = t.caller.Under(span)
	t.state = trace.State(strings.Join(h.Values(stateHeader), ","))
	return t
}

// WrapUnary implements connect.Interceptor.
func (s traces) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, t := s.begin(ctx, r.Header())
		began := time.Now()
		answer, err := next(ctx, r)
		s.called(ctx, t, r.Spec().Procedure, began, err)
		if failed, ok := err.(*connect.Error); ok { //nolint:errorlint // its header is what is sent
			failed.Meta().Set(responseHeader, t.parent.String())
		}
		if err == nil && answer != nil {
			answer.Header().Set(responseHeader, t.parent.String())
		}
		return answer, err
	}
}

// WrapStreamingClient implements connect.Interceptor; there is no client here.
func (traces) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (s traces) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, c connect.StreamingHandlerConn) error {
		ctx, t := s.begin(ctx, c.RequestHeader())
		c.ResponseHeader().Set(responseHeader, t.parent.String())
		began := time.Now()
		err := next(ctx, c)
		s.called(ctx, t, c.Spec().Procedure, began, err)
		return err
	}
}
