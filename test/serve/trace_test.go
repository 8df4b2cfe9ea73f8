package serve_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/core/trace"
	"ambit.dev/ambit/internal/server/servertest"
)

// Somebody's trace, and the span that they are in.
const (
	someTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	someParent = "00-" + someTrace + "-00f067aa0ba902b7-01"
	someState  = "rojo=00f067aa0ba902b7"
)

// traced are the records of a trace, oldest first.
func (c client) traced(t *testing.T, id string) []*pb.Record {
	t.Helper()
	m, err := c.audit.ListRecords(t.Context(), connect.NewRequest(&pb.ListRecordsRequest{PageSize: 200, Filter: &pb.RecordFilter{Trace: id}}))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(m.Msg.GetRecords())
	return m.Msg.GetRecords()
}

func kindsOf(all []*pb.Record) (kinds []string) {
	for _, r := range all {
		kinds = append(kinds, r.GetKind())
	}
	return kinds
}

// What a call starts belongs to the call's trace, from its decisions to its end, by a
// launcher that stood by and by one that did not; and what is started in it later to
// that of the call that starts it.
func TestServeTrace(t *testing.T) {
	t.Parallel()
	for _, standBy := range []string{"0", "1"} {
		t.Run("stand by "+standBy, func(t *testing.T) {
			t.Parallel()
			h, err := servertest.Start(binary, t.TempDir(), "--stand-by", standBy)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(h.Close)
			serveTrace(t, h)
		})
	}
}

func serveTrace(t *testing.T, h *servertest.Host) {
	c := newClient(t, h)
	r := connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"cat"}, Terminal: &pb.Terminal{Rows: 24, Columns: 80}})
	if strings.Contains(strings.Join(h.Args, " "), "1") {
		r.Msg.Argv, r.Msg.Terminal = []string{"sleep", "600"}, nil // one with a terminal is started from the beginning
	}
	r.Header().Set("Traceparent", someParent)
	r.Header().Set("Tracestate", someState)
	m, err := c.sessions.CreateSession(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Msg.GetSession()
	answered, ok := trace.Parse(m.Header().Get("Traceresponse"))
	if !ok || answered.Trace() != someTrace || answered.Span() == "00f067aa0ba902b7" || s.GetTrace() != someTrace {
		t.Errorf("the answer belongs to %q, the session to %q", m.Header().Get("Traceresponse"), s.GetTrace())
	}
	other := strings.Repeat("ab", 16)
	e := connect.NewRequest(&pb.CreateExecRequest{Session: s.GetId(), Argv: []string{"true"}})
	e.Header().Set("Traceparent", "00-"+other+"-00f067aa0ba902b7-00")
	x, err := c.execs.CreateExec(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	c.output(t, x.Msg.GetExec().GetId())
	read := strings.Repeat("cd", 16)
	c.readTraced(t, &pb.StreamFileRequest{Session: s.GetId(), Path: "/etc/passwd"}, "00-"+read+"-00f067aa0ba902b7-00")
	if _, err := c.sessions.StopSession(t.Context(), connect.NewRequest(&pb.StopSessionRequest{Id: s.GetId()})); err != nil {
		t.Fatal(err)
	}
	until(t, "the end is in the log", func() bool { return slices.Contains(kindsOf(c.traced(t, someTrace)), "session.end") })
	of := c.traced(t, someTrace)
	for _, kind := range []string{"decision", "session.start", "report", "session.end"} {
		if !slices.Contains(kindsOf(of), kind) {
			t.Errorf("the trace has no %s: %q", kind, kindsOf(of))
		}
	}
	for _, r := range of {
		var body struct{ Trace, TraceState string }
		if err := json.Unmarshal([]byte(r.GetBody()), &body); err != nil || body.Trace != answered.String() || r.GetTrace() != someTrace || r.GetSession() != s.GetId() {
			t.Errorf("record %d belongs to %q, of %q: %v", r.GetSeq(), body.Trace, r.GetSession(), err)
		}
		if r.GetKind() == "session.start" && body.TraceState != someState {
			t.Errorf("the state is %q", body.TraceState)
		}
	}
	if got := kindsOf(c.traced(t, other)); !slices.Equal(got, []string{"decision", "session.exec", "session.leave"}) {
		t.Errorf("the other trace has %q", got)
	}
	if got := kindsOf(c.traced(t, read)); !slices.Contains(got, "session.copy") {
		t.Errorf("the trace of a file that was read has %q", got)
	}
	v, err := c.audit.VerifyLog(t.Context(), connect.NewRequest(&pb.VerifyLogRequest{}))
	if err != nil || !v.Msg.GetIntact() {
		t.Errorf("verify: %v, %v", v, err)
	}
}

// readTraced reads a file of a session within somebody's trace.
func (c client) readTraced(t *testing.T, file *pb.StreamFileRequest, parent string) {
	t.Helper()
	r := connect.NewRequest(file)
	r.Header().Set("Traceparent", parent)
	s, err := c.files.StreamFile(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for s.Receive() {
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// What is no trace says nothing: a call has one of its own then. Nobody's trace gets
// into a session by the environment of the host.
func TestServeTraceRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	for name, set := range map[string]func(connect.AnyRequest){
		"none":  func(connect.AnyRequest) {},
		"upper": func(r connect.AnyRequest) { r.Header().Set("Traceparent", strings.ToUpper(someParent)) },
		"zeros": func(r connect.AnyRequest) {
			r.Header().Set("Traceparent", "00-"+strings.Repeat("0", 32)+"-00f067aa0ba902b7-01")
		},
		"longer": func(r connect.AnyRequest) { r.Header().Set("Traceparent", someParent+"-x") },
		"twice": func(r connect.AnyRequest) {
			r.Header().Add("Traceparent", someParent)
			r.Header().Add("Traceparent", someParent)
		},
		"escaped": func(r connect.AnyRequest) { r.Header().Set("Traceparent", `00-"},"x":{"-00f067aa0ba902b7-01`) },
	} {
		r := connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}})
		set(r)
		r.Header().Set("Tracestate", someState)
		m, err := c.sessions.CreateSession(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := trace.Parse(m.Header().Get("Traceresponse"))
		if !ok || p.Trace() == someTrace || p.Sampled() || m.Msg.GetSession().GetTrace() != p.Trace() {
			t.Errorf("%s: %q", name, m.Header().Get("Traceresponse"))
		}
		var started []string
		until(t, name+": the launch is found by its trace", func() bool {
			started = nil
			for _, r := range c.traced(t, p.Trace()) {
				if r.GetKind() == "session.start" {
					started = append(started, r.GetBody())
				}
			}
			return len(started) == 1
		})
		if strings.Contains(started[0], "tracestate") {
			t.Errorf("%s: a state without its trace was kept: %s", name, started[0])
		}
	}
	if _, err := c.audit.ListRecords(t.Context(), connect.NewRequest(&pb.ListRecordsRequest{Filter: &pb.RecordFilter{Trace: `x"`}})); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a filter by what is no trace: %v", err)
	}
	_, err := c.sessions.GetSession(t.Context(), connect.NewRequest(&pb.GetSessionRequest{Id: "s-aaaaaaaaaa"}))
	if failed := new(connect.Error); !asError(err, &failed) || failed.Meta().Get("Traceresponse") == "" {
		t.Errorf("an error says no trace: %v", err)
	}
}

func asError(err error, to **connect.Error) bool {
	e, ok := err.(*connect.Error) //nolint:errorlint // as the client makes it
	*to = e
	return ok
}

// At the command line the environment says the trace, as usual; the sandboxed program
// does not see it, and what is no trace is none.
func TestTraceCommand(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	ambit := func(env []string, args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, append([]string{"--state-dir", state}, args...)...)
		cmd.Env = append(os.Environ(), env...)
		cmd.Dir = "/"
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	run := []string{"run", "--", "env"}
	for _, env := range [][]string{{"TRACEPARENT=" + someParent, "TRACESTATE=" + someState}, {"TRACEPARENT=" + someParent + "x", "TRACESTATE=" + someState}, nil} {
		if out := ambit(env, run...); strings.Contains(out, "TRACE") {
			t.Errorf("inside there is %q", out)
		}
	}
	ls := func(args ...string) (all []struct {
		Kind string
		Body struct{ Trace, TraceState string }
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(ambit(nil, append([]string{"--json", "audit"}, args...)...)), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	traced := ls("ls", "--trace", someTrace)
	if len(traced) < 4 || len(traced) != len(ls("show", "--trace", someParent)) {
		t.Errorf("%d records", len(traced))
	}
	for _, r := range traced {
		if want := (map[bool]string{true: someState})[r.Kind == "session.start"]; r.Body.Trace != someParent || r.Body.TraceState != want {
			t.Errorf("%s: %+v", r.Kind, r.Body)
		}
	}
	for _, r := range ls("ls", "-n", "0") {
		if r.Body.Trace != "" && r.Body.Trace != someParent {
			t.Errorf("%s belongs to %q", r.Kind, r.Body.Trace)
		}
	}
	if all := ls("ls", "-n", "0"); len(all) < 2*len(traced) {
		t.Errorf("%d records of %d have a trace", len(traced), len(all))
	}
	if out := ambit(nil, "audit", "show", "--trace", someTrace); !strings.Contains(out, "trace      "+someTrace) {
		t.Errorf("it is shown as %s", out)
	}
	ambit(nil, "audit", "verify")
}

// As JSON every line of the host is an object, and that of a call says by which trace,
// whose and how it ended, and nothing of what was sent.
func TestServeLogFormat(t *testing.T) {
	t.Parallel()
	h, err := servertest.Start(binary, t.TempDir(), "--log-format", "json")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	c := newClient(t, h)
	r := connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"echo", "hunter2"}})
	r.Header().Set("Traceparent", someParent)
	if _, err := c.sessions.CreateSession(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	calls := 0
	until(t, "the call is logged", func() bool {
		calls = 0
		for line := range strings.Lines(h.Said()) {
			var l struct{ Msg, Route, Code, Trace, Principal, Role string }
			if !strings.HasSuffix(line, "\n") {
				continue // it is being written
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if l.Msg == "call" && l.Route == "/ambit.v1.SessionService/CreateSession" && l.Code == "ok" && l.Trace == someTrace && l.Principal != "" && l.Role == "admin" {
				calls++
			}
		}
		return calls == 1
	})
	if strings.Contains(h.Said(), "hunter2") {
		t.Error(h.Said())
	}
}
