package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/span"
)

// traceVariables takes out of the environment where spans are to be sent.
//
// Security: headers have tokens in them. What the host starts does not inherit them,
// and belongs to no trace but the one that it is told.
func traceVariables() func(string) string {
	values := map[string]string{}
	for _, name := range append(span.Variables(), "TRACEPARENT", "TRACESTATE") {
		values[name] = os.Getenv(name)
		_ = os.Unsetenv(name) //nolint:forbidigo // nothing else runs yet, and it fails for names with a NUL alone
	}
	return func(name string) string { return values[name] }
}

// complainEvery is how often it is said that spans are lost; /metrics counts them.
const complainEvery = time.Minute

// spans prepares what sends spans, where the environment says that there is who takes
// them. begin begins with it, and returns what waits for its end.
func spans(o options, cfg *server.Config, log *slog.Logger) (begin func(context.Context, *server.Server) (wait func())) {
	to, wanted, err := span.FromEnvironment(o.traces, "ambit", version)
	if err != nil {
		log.Warn("no spans are sent", "why", err)
	}
	if !wanted {
		return func(context.Context, *server.Server) func() { return func() {} }
	}
	var s *server.Server // there when the first span is
	var mu sync.Mutex
	var said time.Time
	e := span.New(to, func(outcome string, n int) { s.CountSpans(outcome, n) }, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if now := time.Now(); now.Sub(said) > complainEvery {
			said = now
			log.Warn("spans were lost", "why", err)
		}
	})
	cfg.Spans = e
	return func(ctx context.Context, made *server.Server) func() {
		s = made
		var all sync.WaitGroup
		all.Go(func() { e.Run(ctx) })
		all.Go(func() { made.Export(ctx) })
		return all.Wait
	}
}
