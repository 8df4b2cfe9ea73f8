package serve_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/server/servertest"
	"ambit.dev/ambit/internal/span/spantest"
)

// collector takes spans, and refuses what OTLP is not.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	spans []spantest.Span // guarded by mu
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return // the host has ended
		}
		m, err := spantest.Parse(r.Header, text)
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Authorization") != "hunter2" || m.Resource["service.name"] != "ambit" {
			t.Errorf("%s %s: %v: %s", r.URL.Path, r.Header, err, text)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.spans = append(c.spans, m.Spans...)
	}))
	t.Cleanup(c.Close)
	return c
}

// environment is what tells a program to send its spans here.
func (c *collector) environment() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization=hunter2"}
}

// named are the spans of a trace by their names.
func (c *collector) named(trace string) map[string][]spantest.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string][]spantest.Span{}
	for _, s := range c.spans {
		if s.Trace == trace {
			all[s.Name] = append(all[s.Name], s)
		}
	}
	return all
}

// What is done for a call reaches whoever collects spans, from the call over the
// question and its answer to the end, as one tree; what the host starts has nothing of
// the address and the token by which it is sent.
func TestServeSpans(t *testing.T) {
	t.Parallel()
	to := newCollector(t)
	h, err := servertest.StartWith(append(to.environment(), "TRACEPARENT="+someParent), binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	c := newClient(t, h)
	file := h.Home + "/asked"
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"cat", file}, Ask: pb.Ask_ASK_QUEUE, AskBy: "notification"})
	trace := strings.Repeat("cd", 16)
	r.Header().Set("Traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
	m, err := c.sessions.CreateSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range h.Keepers() {
		if text, err := os.ReadFile("/proc/" + pid + "/environ"); err == nil && (strings.Contains(string(text), "OTEL_") || strings.Contains(string(text), someTrace)) {
			t.Errorf("the environment of process %s has %q", pid, text)
		}
	}
	question := ""
	until(t, "a question is put", func() bool {
		m, err := c.questions.ListQuestions(t.Context(), connect.NewRequest(&pb.ListQuestionsRequest{}))
		if err == nil && len(m.Msg.GetQuestions()) > 0 {
			question = m.Msg.GetQuestions()[0].GetId()
		}
		return question != ""
	})
	if _, err := c.questions.AnswerQuestion(t.Context(), connect.NewRequest(&pb.AnswerQuestionRequest{Id: question, Verdict: pb.Verdict_VERDICT_ALLOW})); err != nil {
		t.Fatal(err)
	}
	c.output(t, m.Msg.GetSession().GetId())
	var got map[string][]spantest.Span
	until(t, "the session is told as spans", func() bool {
		got = to.named(trace)
		return len(got["session"]) == 1 && len(got["question"]) == 1
	})
	call, whole := got["ambit.v1.SessionService/CreateSession"], got["session"][0]
	if len(call) != 1 || call[0].Parent != "00f067aa0ba902b7" || call[0].Kind != 2 || whole.Parent != call[0].ID {
		t.Fatalf("the session is under %s, the call is %+v", whole.Parent, call)
	}
	for _, name := range []string{"launch", "program", "decide", "question"} {
		if len(got[name]) == 0 || got[name][0].Parent != whole.ID {
			t.Errorf("%s: %+v", name, got[name])
		}
	}
	if row := got["row"]; len(row) != 1 || row[0].Parent != got["launch"][0].ID || row[0].End <= row[0].Start {
		t.Errorf("the row: %+v", row)
	}
	if q := got["question"][0]; q.Attributes["ambit.capability"] != "fs.read:"+file && !strings.HasSuffix(q.Attributes["ambit.capability"], "/asked") {
		t.Errorf("the question: %+v", q)
	}
	until(t, "sent spans are counted", func() bool { return numbers(t, h, `ambit_trace_spans_total{outcome="sent"}`) > 0 })
	if n := numbers(t, h, "ambit_launcher_log_append_seconds_count"); n < 2 || numbers(t, h, "ambit_launcher_log_append_seconds_sum") <= 0 {
		t.Errorf("launchers wrote %g times", n)
	}
	if !slices.ContainsFunc(got["decide"], func(s spantest.Span) bool { return s.Attributes["ambit.outcome"] == "allow" }) {
		t.Errorf("%+v", got["decide"])
	}
}

// numbers is one of /metrics; 0 where it is not there.
func numbers(t *testing.T, h *servertest.Host, name string) (n float64) {
	t.Helper()
	answer, err := h.Client().Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			if n, err = strconv.ParseFloat(strings.TrimSpace(rest), 64); err != nil {
				t.Fatal(err)
			}
		}
	}
	return n
}
