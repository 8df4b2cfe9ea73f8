package server

import (
	"context"
	"errors"

	"connectrpc.com/connect"
)

// endings tells callers of streams why they may not have them any more, where whoever
// listens says that as the cause of a context's end.
type endings struct{}

// WrapUnary changes nothing.
func (endings) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc { return next }

// WrapStreamingClient changes nothing: there is none here.
func (endings) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler says the cause, and not what broke when it came.
func (endings) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, c connect.StreamingHandlerConn) error {
		err := next(ctx, c)
		if why, ok := errors.AsType[*connect.Error](context.Cause(ctx)); ok {
			return why
		}
		return err
	}
}
