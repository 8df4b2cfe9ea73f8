package span_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/trace"
	"ambit.dev/ambit/internal/span"
)

const (
	someTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	someSpan  = "00f067aa0ba902b7"
)

// written are bodies as records of a log, with a trace that is sampled or is not.
func written(t *testing.T, flags string, bodies ...audit.Body) []audit.Record {
	t.Helper()
	p, ok := trace.Parse("00-" + someTrace + "-" + someSpan + "-" + flags)
	if !ok && flags != "" {
		t.Fatal(flags)
	}
	l, err := audit.Open(filepath.Join(t.TempDir(), "audit"), audit.Options{Trace: p})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var all []audit.Record
	for i, b := range bodies {
		r, err := audit.New(b)
		if err != nil {
			t.Fatal(err)
		}
		r.ID, r.Session, r.Principal = "d-aaaaaaaaa"+string(rune('a'+i)), "s-aaaaaaaaaa", "uid:1@acme"
		all = append(all, r)
	}
	done, err := l.Append(context.WithoutCancel(t.Context()), all...)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// session are the records of one that asked, had a flow, and was denied something.
func session() []audit.Body {
	return []audit.Body{
		audit.DecisionBody{Capability: "process.spawn:/bin/x", Outcome: "allow", Reasons: []audit.ReasonBody{{Rule: "granted"}}},
		audit.LaunchBody{Argv: audit.Texts([]string{"x", "--password=hunter2"}), Program: "/bin/x", Tier: "process", TraceState: "a=b"},
		audit.DecisionBody{Capability: "fs.read:/a", Outcome: "ask"},
		audit.DecisionBody{Capability: "fs.read:/a", Outcome: "allow", Why: "the program opens it; asked as d-aaaaaaaaac: by the API"},
		audit.DenialBody{Layer: "process", Capability: "fs.read:/b", Text: "not granted"},
		audit.FlowBody{Capability: "net.connect:h:443", Name: "h", To: "192.0.2.1:443", In: 5, Duration: time.Second, End: "done"},
		audit.FlowBody{Capability: "net.connect:h:443", To: "192.0.2.1:443", Open: true},
		audit.RequestBody{To: "h:443", Method: "GET", Path: "/token/hunter2", Status: 200, Duration: time.Second},
		audit.EndBody{Status: "exited", Exit: 3, Duration: 3 * time.Second, Prepare: time.Second, Row: time.Second / 2, Ready: time.Second},
	}
}

// Records become spans that hang together: the session under whoever had it started,
// the rest under the session.
func TestRecords(t *testing.T) {
	t.Parallel()
	records := written(t, "01", session()...)
	r := &span.Reader{}
	spans := r.Spans(records)
	byName, names := map[string]span.Span{}, []string{}
	for _, s := range spans {
		if s.Trace != someTrace || !trace.IsSpan(s.ID) || s.End.Before(s.Start) {
			t.Errorf("%+v", s)
		}
		byName[s.Name] = s
		names = append(names, s.Name)
	}
	slices.Sort(names)
	if want := []string{"decide", "decide", "decide", "denial", "flow", "launch", "program", "question", "request", "row", "session"}; !slices.Equal(names, want) {
		t.Fatalf("%q, want %q", names, want)
	}
	whole := byName["session"]
	if whole.Parent != someSpan || whole.ID != span.IDOf("session", "s-aaaaaaaaaa") || whole.State != "a=b" || whole.Failed == "" {
		t.Errorf("%+v", whole)
	}
	for name, parent := range map[string]string{"decide": whole.ID, "denial": whole.ID, "flow": whole.ID, "question": whole.ID, "request": whole.ID, "launch": whole.ID, "program": whole.ID, "row": byName["launch"].ID} {
		if byName[name].Parent != parent {
			t.Errorf("%s is under %s, want %s", name, byName[name].Parent, parent)
		}
	}
	for name, want := range map[string]time.Duration{"flow": time.Second, "request": time.Second, "row": time.Second / 2, "launch": 2 * time.Second, "program": 2 * time.Second, "session": 4 * time.Second} {
		if got := byName[name].End.Sub(byName[name].Start); got != want {
			t.Errorf("%s took %v, want %v", name, got, want)
		}
	}
	if q := byName["question"]; !q.Start.Equal(records[2].Time) || !q.End.Equal(records[3].Time) {
		t.Errorf("the question waited from %v to %v", q.Start, q.End)
	}
}

// What is not sampled, or belongs to no trace, makes no spans.
func TestRecordsNotSampled(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"00", "02", ""} {
		if all := (&span.Reader{}).Spans(written(t, flags, session()...)); len(all) != 0 {
			t.Errorf("%q: %+v", flags, all)
		}
	}
}

// A reader that began later finds the launch, once; where there is none, what was
// decided hangs under whoever wanted it.
func TestRecordsLater(t *testing.T) {
	t.Parallel()
	records := written(t, "01", session()...)
	looked := 0
	r := &span.Reader{Begun: func(string) (audit.Record, bool) {
		looked++
		return records[1], true
	}}
	if all := r.Spans(records[4:]); looked != 1 || all[0].Parent != span.IDOf("session", "s-aaaaaaaaaa") {
		t.Errorf("looked %d times, %+v", looked, all)
	}
	denied := &span.Reader{Begun: func(string) (audit.Record, bool) { return audit.Record{}, false }}
	if all := denied.Spans(records[:1]); len(all) != 1 || all[0].Parent != someSpan {
		t.Errorf("%+v", all)
	}
}

// Command lines and paths of requests do not go out.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	for _, s := range (&span.Reader{}).Spans(written(t, "01", session()...)) {
		for _, a := range s.Attributes {
			if strings.Contains(a.Text, "hunter2") {
				t.Errorf("%s says %s: %s", s.Name, a.Name, a.Text)
			}
		}
	}
}

// What a sandboxed program can name is a value of bounded size, and UTF-8.
func TestHostile(t *testing.T) {
	t.Parallel()
	recv := newReceiver(t)
	e, run, c := exporter(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": recv.URL})
	names := []string{strings.Repeat("ä", 1<<16), "\xff\xfe", `","x":{"`, "\x1b]0;x\a\n", "\u2028</script>"}
	var bodies []audit.Body
	for _, name := range names {
		bodies = append(bodies, audit.DenialBody{Layer: name, Capability: audit.Text("fs.read:/" + name)},
			audit.FlowBody{Name: audit.Text(name), To: name, End: name}, audit.RequestBody{To: audit.Text(name), Method: audit.Text(name), End: name})
	}
	for _, b := range bodies {
		e.Put((&span.Reader{}).Spans(written(t, "01", b))...)
	}
	run()
	until(t, "all are sent", func() bool { return c.get(span.Sent) == len(bodies) })
	for _, s := range recv.spans() {
		if !slices.Contains([]string{"denial", "flow", "request"}, s.Name) {
			t.Errorf("a span is called %q", s.Name)
		}
		for name, value := range s.Attributes {
			if len(value) > 256 {
				t.Errorf("%s has %d bytes", name, len(value))
			}
		}
	}
}
