package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/server/servertest"
)

func (c client) start(t *testing.T, r *pb.CreateExecRequest) *pb.Exec {
	t.Helper()
	m, err := c.execs.CreateExec(t.Context(), connect.NewRequest(r))
	if err != nil {
		t.Fatalf("start %v: %v", r.GetArgv(), err)
	}
	return m.Msg.GetExec()
}

func (c client) get(t *testing.T, id string) *pb.Exec {
	t.Helper()
	m, err := c.execs.GetExec(t.Context(), connect.NewRequest(&pb.GetExecRequest{Id: id}))
	if err != nil {
		t.Fatal(err)
	}
	return m.Msg.GetExec()
}

// sleeper is a session for others to be started in, and ends with the test.
func (c client) sleeper(t *testing.T) string {
	t.Helper()
	id := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sleep", "3600"}}).GetId()
	t.Cleanup(func() {
		if _, err := c.sessions.StopSession(context.WithoutCancel(t.Context()), connect.NewRequest(&pb.StopSessionRequest{Id: id})); err != nil {
			t.Errorf("stop %s: %v", id, err)
		}
	})
	return id
}

// recorded are the bodies of the records of a kind.
func recorded(t *testing.T, h *servertest.Host, kind string) (all []string) {
	t.Helper()
	out, err := h.Command("audit", "export").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		var r struct {
			ID, Kind string
			Body     json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Kind == kind {
			all = append(all, r.ID+" "+string(r.Body))
		}
	}
	return all
}

// A program is started in a session that runs: what it writes, how it ended, and the
// records of both are by its id.
func TestExec(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s := c.sleeper(t)
	e := c.start(t, &pb.CreateExecRequest{Session: s, Argv: []string{"sh", "-c", "cat; pwd; echo $WORD; echo bad >&2; exit 7"}, Dir: "/tmp", Env: map[string]string{"WORD": "a b"}, Stdin: []byte("in\n")})
	out, bad, end := c.output(t, e.GetId())
	if out != "in\n/tmp\na b\n" || bad != "bad\n" || end.GetExit() != 7 {
		t.Errorf("wrote %q and %q, ended with %v", out, bad, end)
	}
	if got := c.get(t, e.GetId()); got.GetState() != pb.SessionState_SESSION_STATE_ENDED || got.GetExit() != 7 || got.GetSession() != s {
		t.Errorf("it is told as %v", got)
	}
	if all := recorded(t, h, "session.exec"); len(all) != 1 || !strings.HasPrefix(all[0], e.GetId()+" ") {
		t.Errorf("its begin is recorded as %q, want %s", all, e.GetId())
	}
	if all := recorded(t, h, "session.leave"); len(all) != 1 || !strings.Contains(all[0], `{"exec":"`+e.GetId()+`","exit":7,`) {
		t.Errorf("its end is recorded as %q", all)
	}
	if _, err := c.sessions.GetSession(t.Context(), connect.NewRequest(&pb.GetSessionRequest{Id: e.GetId()})); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("it is taken for a session: %v", err)
	}
}

// With a terminal it is one of its own, in the session; it can be told to end, and
// then has ended.
func TestExecTerminal(t *testing.T) {
	t.Parallel()
	c := newClient(t, newHost(t))
	e := c.start(t, &pb.CreateExecRequest{Session: c.sleeper(t), Argv: []string{"sh", "-c", "tty; echo $TERM; stty size; read line; echo got=$line; stty size; sleep 3600"}, Terminal: eighty})
	w := c.typist(t, e.GetId())
	if got, _ := w.until("24 80"); !strings.Contains(got, "/dev/pts/") || !strings.Contains(got, "xterm-256color") {
		t.Errorf("it begins with %q", got)
	}
	if _, err := c.terminals.ResizeTerminal(t.Context(), connect.NewRequest(&pb.ResizeTerminalRequest{Id: e.GetId(), Rows: 40, Columns: 132})); err != nil {
		t.Fatal(err)
	}
	w.types("word\r")
	w.until("got=word")
	if _, err := c.execs.StopExec(t.Context(), connect.NewRequest(&pb.StopExecRequest{Id: e.GetId()})); err != nil {
		t.Fatal(err)
	}
	if _, end := w.until(""); end.GetExit() != 128+int32(syscall.SIGTERM) {
		t.Errorf("it ends with %v", end)
	}
	wantCode(t, "input after the end", w.write("x"), connect.CodeFailedPrecondition)
	_, err := c.execs.StopExec(t.Context(), connect.NewRequest(&pb.StopExecRequest{Id: e.GetId()}))
	wantCode(t, "an end after the end", err, connect.CodeFailedPrecondition)
}

// What was denied to the session is denied here, with the reasons, and nothing is
// started; so is what a pack may not start.
func TestExecDenied(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "echo ready; cat"}, Terminal: eighty, Deny: []string{"process.spawn:/usr/bin/id"}})
	w := c.typist(t, s.GetId())
	w.until("ready")
	for _, terminal := range []*pb.Terminal{nil, eighty} {
		_, err := c.execs.CreateExec(t.Context(), connect.NewRequest(&pb.CreateExecRequest{Session: s.GetId(), Argv: []string{"id"}, Terminal: terminal}))
		wantCode(t, "a program that is denied", err, connect.CodePermissionDenied)
		if failed, ok := errors.AsType[*connect.Error](err); ok && len(failed.Details()) != 1 {
			t.Errorf("it has %d details, want the denial: %v", len(failed.Details()), err)
		}
	}
	if all := recorded(t, h, "session.exec"); len(all) != 0 {
		t.Errorf("there are records of a begin: %q", all)
	}
	w.types("\x04")
	w.until("")
	_, err := c.execs.CreateExec(t.Context(), connect.NewRequest(&pb.CreateExecRequest{Session: s.GetId(), Argv: []string{"true"}}))
	wantCode(t, "a program in a session that has ended", err, connect.CodeFailedPrecondition)
}

// Nothing is started in what is no session, or somebody else's; what somebody else
// started is not there. The same request with the same key starts one program.
func TestExecWhose(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s := c.sleeper(t)
	for _, id := range []string{"", "s-aaaaaaaaaa", "--help", s + "/.", "x-aaaaaaaaaa"} {
		_, err := c.execs.CreateExec(t.Context(), connect.NewRequest(&pb.CreateExecRequest{Session: id, Argv: []string{"true"}}))
		wantCode(t, "a program in "+id, err, connect.CodeNotFound)
	}
	for _, bad := range []*pb.CreateExecRequest{{}, {Argv: []string{""}}, {Argv: []string{"a\x00"}}, {Argv: []string{"true"}, Dir: "tmp"}, {Argv: []string{"true"}, Env: map[string]string{"A=B": "c"}},
		{Argv: []string{"true"}, Terminal: eighty, Stdin: []byte("x")}, {Argv: []string{"true"}, Terminal: &pb.Terminal{}}} {
		bad.Session = s
		_, err := c.execs.CreateExec(t.Context(), connect.NewRequest(bad))
		wantCode(t, "what makes no sense: "+bad.String(), err, connect.CodeInvalidArgument)
	}
	again := &pb.CreateExecRequest{Session: s, Argv: []string{"sh", "-c", "echo ready; cat"}, Terminal: eighty, IdempotencyKey: "k"}
	e := c.start(t, again)
	if twice := c.start(t, again); twice.GetId() != e.GetId() {
		t.Errorf("the same key started %s and %s", e.GetId(), twice.GetId())
	}
	if n := len(recorded(t, h, "session.exec")); n != 1 {
		t.Errorf("%d programs were started", n)
	}
	w := c.typist(t, e.GetId())
	w.until("ready")
	becomes(t, h, e.GetId(), "other-", "")
	_, err := c.execs.GetExec(t.Context(), connect.NewRequest(&pb.GetExecRequest{Id: e.GetId()}))
	wantCode(t, "somebody else's program", err, connect.CodeNotFound)
	_, err = c.execs.StopExec(t.Context(), connect.NewRequest(&pb.StopExecRequest{Id: e.GetId()}))
	wantCode(t, "an end of somebody else's program", err, connect.CodeNotFound)
	wantCode(t, "input for somebody else's program", w.write("x"), connect.CodeNotFound)
	stream, err := c.sessions.StreamOutput(t.Context(), connect.NewRequest(&pb.StreamOutputRequest{Id: e.GetId()}))
	if err == nil {
		stream.Receive()
		err = errors.Join(stream.Err(), stream.Close())
	}
	if connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("output of somebody else's program: %v", err)
	}
	becomes(t, h, e.GetId(), "", "other-")
	w.types("\x04")
	w.until("")
}

// The programs of a session that run are listed, and with ended all of them: each once, on
// whichever page, no other session's, and nobody else's.
func TestExecs(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s, other := c.sleeper(t), c.sleeper(t)
	run := func(session string, argv ...string) string {
		return c.start(t, &pb.CreateExecRequest{Session: session, Argv: argv}).GetId()
	}
	over, one, two, three := run(s, "true"), run(s, "sleep", "3600"), run(s, "sleep", "3601"), run(s, "sleep", "3602")
	elsewhere := run(other, "sleep", "3600")
	c.output(t, over)
	becomes(t, h, three, "other-", "")
	wantSame(t, "those that run", c.execsOf(t, s, false), one, two)
	wantSame(t, "all of them", c.execsOf(t, s, true), over, one, two)
	wantSame(t, "another session's", c.execsOf(t, other, false), elsewhere)
	if _, err := c.execs.StopExec(t.Context(), connect.NewRequest(&pb.StopExecRequest{Id: one})); err != nil {
		t.Fatal(err)
	}
	c.output(t, one)
	wantSame(t, "what goes on", c.execsOf(t, s, false), two)
	wantSame(t, "what goes on, asked again", c.execsOf(t, s, false), two)
	for _, id := range []string{"", "s-aaaaaaaaaa", "--help", two} {
		_, err := c.execs.ListExecs(t.Context(), connect.NewRequest(&pb.ListExecsRequest{Session: id}))
		wantCode(t, "the programs of "+id, err, connect.CodeNotFound)
	}
	becomes(t, h, three, "", "other-")
}

// execsOf are the ids of the programs of a session, read one on a page.
func (c client) execsOf(t *testing.T, session string, ended bool) (ids []string) {
	t.Helper()
	for r := (&pb.ListExecsRequest{Session: session, Ended: ended, PageSize: 1}); ; {
		m, err := c.execs.ListExecs(t.Context(), connect.NewRequest(r))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range m.Msg.GetExecs() {
			if e.GetSession() != session || len(e.GetArgv()) == 0 {
				t.Errorf("it is told as %v", e)
			}
			ids = append(ids, e.GetId())
		}
		if r.PageToken = m.Msg.GetNextPageToken(); r.PageToken == "" {
			return ids
		}
	}
}

func wantSame(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
