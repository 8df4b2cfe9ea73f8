package server

import (
	"context"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/metric"
	"ambit.dev/ambit/internal/span"
)

// metrics are the numbers about this host. What is counted begins with the host; what
// is there now is looked at when somebody asks.
//
// Security: nothing that a sandboxed program or a pack can choose is a label, so that
// none can make them many or write into them: routes, codes, kinds, outcomes, tiers and
// states are words of Ambit's own (TestMetricsWords).
type metrics struct {
	*Server
	set       metric.Set
	calls     *metric.Counter
	took      *metric.Histogram
	streams   *metric.Gauge
	appends   *metric.Histogram
	launchers *metric.Histogram // as they say at the end of their sessions
	answers   *metric.Counter
	records   *metric.Counter
	decisions *metric.Counter
	denials   *metric.Counter
	spans     *metric.Counter
	begun     *metric.Counter
	stood     *metric.Counter

	mu       sync.Mutex      // one is written at a time
	recorded *audit.Follower // guarded by mu; nil until the log can be read
}

func newMetrics(s *Server) *metrics {
	m := &metrics{Server: s}
	all := &m.set
	all.Sampled("ambit_build_info", "The version of the host.", []string{"version", "go"}, func(context.Context) []metric.Sample {
		return []metric.Sample{{Values: []string{s.cfg.Version, runtime.Version()}, N: 1}}
	})
	all.Sampled("ambit_start_time_seconds", "When the host was started, since 1970.", nil, number(func() float64 { return float64(s.started.Unix()) }))
	all.Sampled("ambit_sessions", "Sessions on the list, by state and tier.", []string{"state", "tier"}, m.sessions)
	all.Sampled("ambit_questions_waiting", "Questions that take an answer now.", nil, m.questions)
	m.answers = all.Counter("ambit_questions_answered_total", "Questions that were answered through this host.", "outcome")
	m.records = all.Counter("ambit_log_records_total", "Records that were written to the log since the host began, by whomever.", "kind")
	m.decisions = all.Counter("ambit_decisions_total", "Decisions among them.", "outcome")
	m.denials = all.Counter("ambit_denials_total", "What sandboxes stopped, among them, by the tier that did.", "tier")
	m.appends = all.Histogram("ambit_log_append_seconds", "How long the host itself took to record a call durably.", metric.Seconds)
	m.launchers = all.Histogram("ambit_launcher_log_append_seconds", "How long launchers took to record something durably, of sessions that have ended since the host began.", metric.Seconds)
	m.calls = all.Counter("ambit_api_requests_total", "Calls of the API that have ended, by what they ended with.", "route", "code")
	m.took = all.Histogram("ambit_api_request_seconds", "How long calls took that are no streams.", metric.Seconds, "route")
	m.streams = all.Gauge("ambit_api_streams", "Streams of the API that go on.")
	m.spans = all.Counter("ambit_trace_spans_total", "Spans of traces that were sent, that there was no room for, and that nobody took.", "outcome")
	m.begun = all.Counter("ambit_sessions_begun_total", "Sessions that were begun through this host, by whether their launcher stood by or was new.", "launcher")
	m.stood = all.Counter("ambit_sandboxes_stood_by_total", "Sandboxes that stood by, of sessions that have ended since the host began, by whether they were used, or what they were made anew for.", "outcome")
	all.Sampled("ambit_launchers_standing", "Launchers that stand by.", nil, number(func() float64 { return float64(s.standby.standing()) }))
	all.Sampled("ambit_goroutines", "Goroutines of the host.", nil, number(func() float64 { return float64(runtime.NumGoroutine()) }))
	all.Sampled("ambit_resident_memory_bytes", "Memory of the host's own process that is in RAM.", nil, resident)
	m.recorded, _ = audit.Follow(s.log()) // or when somebody asks
	return m
}

func number(n func() float64) func(context.Context) []metric.Sample {
	return func(context.Context) []metric.Sample { return []metric.Sample{{N: n()}} }
}

// resident is what the kernel says of this process; nothing where it does not say.
func resident(context.Context) []metric.Sample {
	all, err := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(all)); err == nil && len(f) > 1 {
		if pages, err := strconv.ParseFloat(f[1], 64); err == nil {
			return []metric.Sample{{N: pages * float64(os.Getpagesize())}}
		}
	}
	return nil
}

// word is a text if it is one of some, else "other".
func word(text string, known ...string) string {
	if slices.Contains(known, text) {
		return text
	}
	return "other"
}

// tier is the name of one.
func tier(name string) string {
	return word(name, "process", "gvisor", "microvm", "microvm-emulated", "host")
}

// outcome is the word of one.
func outcome(text string) string {
	return word(text, decision.Allow.String(), decision.Deny.String(), decision.Ask.String())
}

// sessions counts those of the caller's.
func (m *metrics) sessions(ctx context.Context) (all []metric.Sample) {
	rows, err := m.rows(ctx, callerOf(ctx).Principal)
	if err != nil {
		return nil
	}
	for _, r := range rows {
		state := "ended"
		if r.Ended.IsZero() {
			state = word(r.Status, "running", "lost")
		}
		all = append(all, metric.Sample{Values: []string{state, tier(r.Tier)}, N: 1})
	}
	return all
}

func (m *metrics) questions(ctx context.Context) []metric.Sample {
	all, err := m.waiting(ctx, callerOf(ctx).Principal)
	if err != nil {
		return nil
	}
	return []metric.Sample{{N: float64(len(all))}}
}

// follow counts what was recorded since.
func (m *metrics) follow(ctx context.Context) (err error) {
	if m.recorded == nil {
		if m.recorded, err = audit.Follow(m.log()); err != nil {
			return err
		}
	}
	for {
		all, err := m.recorded.Next()
		if err != nil || len(all) == 0 || ctx.Err() != nil {
			return err
		}
		for _, r := range all {
			m.records.Add(1, string(r.Kind)) // of the closed set, or the log is not read
			if r.Kind != audit.Decision && r.Kind != audit.Denial && r.Kind != audit.SessionEnd {
				continue
			}
			switch b, _ := r.Decode(); b := b.(type) { // of one that is not as it should be nothing more is told
			case *audit.DecisionBody:
				m.decisions.Add(1, outcome(b.Outcome))
			case *audit.DenialBody:
				m.denials.Add(1, tier(b.Layer))
			case *audit.EndBody:
				m.launchers.Add(b.Appends, b.Appended)
				if b.Stood != "" {
					m.stood.Add(1, word(b.Stood, audit.StoodUsed, audit.StoodTier, audit.StoodMounts, audit.StoodAsking, audit.StoodLimits, audit.StoodHome, audit.StoodGrants))
				}
			}
		}
	}
}

// ServeHTTP writes all of it.
func (m *metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.follow(r.Context()); err != nil {
		m.recorded = nil // what was not counted is not made up for
	}
	w.Header().Set("Content-Type", metric.ContentType)
	_ = m.set.Write(r.Context(), w) // a caller that is gone has nobody to tell
}

// CountSpans counts what became of spans.
func (s *Server) CountSpans(outcome string, n int) {
	s.metrics.spans.Add(float64(n), word(outcome, span.Sent, span.Dropped, span.Lost))
}

// code is what a call ended with, in a word.
func code(err error) string {
	if err == nil {
		return "ok"
	}
	return connect.CodeOf(err).String()
}

// refused counts a call that was not let in.
func (m *metrics) refused(route Route, err error) { m.calls.Add(1, route.Procedure, code(err)) }

// WrapUnary implements connect.Interceptor.
func (m *metrics) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		began := time.Now()
		answer, err := next(ctx, r)
		m.took.Took(time.Since(began), r.Spec().Procedure)
		m.calls.Add(1, r.Spec().Procedure, code(err))
		return answer, err
	}
}

// WrapStreamingClient implements connect.Interceptor; there is no client here.
func (m *metrics) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler implements connect.Interceptor.
func (m *metrics) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, c connect.StreamingHandlerConn) error {
		m.streams.Add(1)
		defer m.streams.Add(-1)
		err := next(ctx, c)
		m.calls.Add(1, c.Spec().Procedure, code(err))
		return err
	}
}
