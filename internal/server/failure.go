package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/store"
)

// failure gives an error the code that says what a caller can do about it. It is
// the one place that does.
func failure(err error) error {
	if err == nil {
		return nil
	}
	if already, ok := errors.AsType[*connect.Error](err); ok {
		return already
	}
	code := connect.CodeUnavailable // the store or the log does not answer
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, audit.ErrNotFound):
		code = connect.CodeNotFound
	case errors.Is(err, store.ErrAnswered), errors.Is(err, store.ErrEnded), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrWithdrawn), errors.Is(err, store.ErrRevoked):
		code = connect.CodeFailedPrecondition
	case errors.Is(err, store.ErrExists):
		code = connect.CodeAlreadyExists
	case errors.Is(err, audit.ErrDamaged):
		code = connect.CodeDataLoss
	case errors.Is(err, context.Canceled):
		code = connect.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		code = connect.CodeDeadlineExceeded
	}
	if c, ok := errors.AsType[*commandError](err); ok {
		code = c.code()
	}
	return connect.NewError(code, errors.New(text(err.Error())))
}

func invalid(what string) error {
	return connect.NewError(connect.CodeInvalidArgument, errors.New(what))
}

func notFound(what, id string) error {
	return connect.NewError(connect.CodeNotFound, errors.New("there is no "+what+" "+capability.Printable(text(id))))
}

func unmet(what string) error {
	return connect.NewError(connect.CodeFailedPrecondition, errors.New(what))
}

// text is a string as messages have them: UTF-8. What is not, was named by a
// program.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func texts(all []string) []string {
	some := make([]string, len(all))
	for i, s := range all {
		some[i] = text(s)
	}
	return some
}

// moment is a time as messages have them; the zero time is none.
func moment(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
