package span_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/span"
)

// counts is what became of spans.
type counts struct {
	mu  sync.Mutex
	of  map[string]int // guarded by mu
	why error          // guarded by mu
}

func (c *counts) add(outcome string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[outcome] += n
}

func (c *counts) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why = err
}

func (c *counts) get(outcome string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[outcome]
}

// exporter sends to a receiver for as long as the test goes on.
func exporter(t *testing.T, environment map[string]string) (e *span.Exporter, run func(), c *counts) {
	t.Helper()
	cfg, wanted, err := span.FromEnvironment(func(name string) string { return environment[name] }, "ambit", "v0")
	if err != nil || !wanted {
		t.Fatal(wanted, err)
	}
	c = &counts{of: map[string]int{}}
	e = span.New(cfg, c.add, c.failed)
	return e, func() {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { e.Run(ctx) })
		t.Cleanup(func() {
			cancel()
			all.Wait()
		})
	}, c
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal(what)
}

func one(name string) span.Span {
	return span.Span{Trace: strings.Repeat("ab", 16), ID: span.IDOf("test", name), Name: name, Kind: span.Internal, Start: time.Unix(1, 0), End: time.Unix(2, 0)}
}

// What is said by the usual variables holds: where, with which headers, of whom.
func TestSent(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	e, run, c := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL + "/base/", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x, a=b",
		"OTEL_SERVICE_NAME": "mine", "OTEL_RESOURCE_ATTRIBUTES": "host.name=h,service.name=no"})
	e.Put(one("a"), one("b"))
	run()
	until(t, "two spans are sent", func() bool { return c.get(span.Sent) == 2 })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paths[0] != "/base/v1/traces" || r.headers[0].Get("Authorization") != "Bearer x" || r.headers[0].Get("A") != "b" || len(r.got) != 2 {
		t.Errorf("%q, %v, %v", r.paths, r.headers, r.got)
	}
}

// Nobody waits: what does not fit is dropped and counted, where nobody takes anything.
func TestBound(t *testing.T) {
	t.Parallel()
	e, _, c := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})
	for range 3000 {
		e.Put(one("a"))
	}
	if n := c.get(span.Dropped); n != 3000-2048 {
		t.Errorf("%d are dropped", n)
	}
}

// A receiver that cannot take spans now gets them again; one that does not want them
// gets them once, and so does one that sends elsewhere.
func TestAgain(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{503: span.Sent, 400: span.Lost, 307: span.Lost} {
		r := newReceiver(t)
		elsewhere := newReceiver(t)
		r.answer = func(n int, w http.ResponseWriter) {
			if n == 1 {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(code)
			}
		}
		e, run, c := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": r.URL, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret"})
		e.Put(one("a"))
		run()
		until(t, "the span is sent, or lost", func() bool { return c.get(want) == 1 })
		if n := map[string]int{span.Sent: 2, span.Lost: 1}[want]; r.messages() != n || elsewhere.messages() != 0 {
			t.Errorf("%d: %d messages, want %d; %d went elsewhere", code, r.messages(), n, elsewhere.messages())
		}
		if c.mu.Lock(); want == span.Lost && (c.why == nil || strings.Contains(c.why.Error(), "secret")) {
			t.Errorf("%d: %v", code, c.why)
		}
		c.mu.Unlock()
	}
}

// A receiver that says that it did not take all is believed, within what there was.
func TestPartly(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.answer = func(_ int, w http.ResponseWriter) {
		_, _ = w.Write([]byte(`{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}`))
	}
	e, run, c := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": r.URL})
	e.Put(one("a"), one("b"))
	run()
	until(t, "one is sent and one is not", func() bool { return c.get(span.Sent) == 1 && c.get(span.Lost) == 1 })
}

// The variables, as OpenTelemetry names them; what cannot be done is said without what
// is secret.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for _, tc := range []struct {
		env    map[string]string
		wanted bool
		ok     bool
	}{
		{nil, false, true},
		{map[string]string{endpoint: "http://h:4318"}, true, true},
		{map[string]string{endpoint: "http://h:4318", "OTEL_SDK_DISABLED": "TRUE"}, false, true},
		{map[string]string{endpoint: "http://h:4318", "OTEL_TRACES_EXPORTER": "none"}, false, true},
		{map[string]string{endpoint: "http://h:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, true, true},
		{map[string]string{endpoint: "http://h:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, false, false},
		{map[string]string{endpoint: "http://h:4318", "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, false, false},
		{map[string]string{endpoint: "file:///user:secret@x"}, false, false},
		{map[string]string{endpoint: "http://user:secret@h:x"}, false, false},
		{map[string]string{endpoint: "https://h", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere"}, false, false},
	} {
		_, wanted, err := span.FromEnvironment(func(name string) string { return tc.env[name] }, "ambit", "")
		if wanted != tc.wanted || (err == nil) != tc.ok || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v, %v", tc.env, wanted, err)
		}
	}
}
