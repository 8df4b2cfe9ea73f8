package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/trace"
	"ambit.dev/ambit/internal/gate"
)

// Where a command finds to which trace it belongs, as other programs do that are
// started within one. What is no traceparent says nothing.
const (
	traceVariable      = "TRACEPARENT"
	traceStateVariable = "TRACESTATE"
)

// A belonging is to which trace something belongs that is done.
type belonging struct {
	parent trace.Parent
	state  string
}

// trace is to which trace this command belongs.
func (a *app) trace() belonging {
	if a.belongs != nil {
		return *a.belongs
	}
	return traceOf(os.Getenv(traceVariable), os.Getenv(traceStateVariable))
}

func traceOf(parent, state string) (b belonging) {
	var ok bool
	if b.parent, ok = trace.Parse(parent); ok {
		b.state = trace.State(state)
	}
	return b
}

type orderedKey struct{}

// ordered is the context of an order that belongs to a trace of its own: what is
// recorded for it does too.
func (o order) ordered(ctx context.Context) context.Context {
	p, _ := trace.Parse(o.Trace)
	return context.WithValue(ctx, orderedKey{}, p)
}

// orderedBy is the trace of the order that something is done for; none: that of the
// session.
func orderedBy(ctx context.Context) trace.Parent {
	p, _ := ctx.Value(orderedKey{}).(trace.Parent)
	return p
}

// tracedLog writes records of one trace to a log that may have another.
type tracedLog struct {
	gate.Recorder
	parent trace.Parent
}

func (t tracedLog) Append(ctx context.Context, records ...audit.Record) ([]audit.Record, error) {
	for i := range records {
		records[i].Trace = t.parent
	}
	return t.Recorder.Append(ctx, records...)
}

// traceID reads the id of a trace, or takes it from a traceparent.
func traceID(text string) (string, error) {
	if p, ok := trace.Parse(text); ok {
		return p.Trace(), nil
	}
	if id := strings.ToLower(text); trace.IsTrace(id) {
		return id, nil
	}
	return "", fmt.Errorf("--trace %q: want the id of a trace, 32 hexadecimal digits, or a traceparent", text)
}
