package server

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// maxLines bounds how many calls are logged in a second: whoever calls often is not to
// fill the disk of whoever keeps the lines.
const maxLines = 100

// callLog writes a line for each call that may change something, and for each that was
// refused or failed for a reason that is the host's. Nothing of what was sent or
// answered is in it.
type callLog struct {
	to *slog.Logger // nil: nobody wants lines

	mu     sync.Mutex
	second int64 // guarded by mu; of the lines that are counted
	lines  int   // guarded by mu; written in it
	left   int   // guarded by mu; left out since the last one that was written
}

// tells reports whether a call is worth a line.
func (l *callLog) tells(route Route, err error) bool {
	if l.to == nil {
		return false
	}
	worth := []connect.Code{connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeInternal, connect.CodeUnknown, connect.CodeDataLoss, connect.CodeUnavailable}
	return route.Changes() || err != nil && slices.Contains(worth, connect.CodeOf(err))
}

// room takes a place for a line, and says how many there was none for since.
func (l *callLog) room(now time.Time) (left int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := now.Unix(); s != l.second {
		l.second, l.lines = s, 0
	}
	if l.lines >= maxLines {
		l.left++
		return 0, false
	}
	l.lines++
	left, l.left = l.left, 0
	return left, true
}

// called logs a call that has ended.
func (l *callLog) called(ctx context.Context, route Route, took time.Duration, err error) {
	if !l.tells(route, err) {
		return
	}
	left, ok := l.room(time.Now())
	if !ok {
		return
	}
	caller := callerOf(ctx)
	fields := []slog.Attr{slog.String("route", route.Procedure), slog.String("code", code(err)), slog.Duration("took", took),
		slog.String("principal", caller.Principal), slog.String("role", caller.Role.String())}
	if caller.By != "" {
		fields = append(fields, slog.String("by", caller.By))
	}
	if t := traceOf(ctx); !t.parent.None() {
		fields = append(fields, slog.String("trace", t.parent.Trace()), slog.String("span", t.parent.Span()))
	}
	if left > 0 {
		fields = append(fields, slog.Int("left_out", left))
	}
	l.to.LogAttrs(ctx, slog.LevelInfo, "call", fields...)
}
