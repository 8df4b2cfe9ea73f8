// Package serve_test uses the API as programs do: a real `ambit serve`, its socket,
// and sandboxes that it starts. What attacks it stands in attack_test.go.
package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/server/servertest"
)

// binary is the ambit that is tested.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var done func()
	var err error
	if binary, done, err = servertest.Binary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer done()
	return m.Run()
}

// patience is how long a busy machine may take for anything here.
const patience = 60 * time.Second

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("after %v: %s", patience, what)
}

func newHost(t *testing.T) *servertest.Host {
	t.Helper()
	h, err := servertest.Start(binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// A client has every service of a host.
type client struct {
	files     ambitv1connect.FileServiceClient
	terminals ambitv1connect.TerminalServiceClient
	execs     ambitv1connect.ExecServiceClient
	questions ambitv1connect.QuestionServiceClient
	sessions  ambitv1connect.SessionServiceClient
	grants    ambitv1connect.GrantServiceClient
	audit     ambitv1connect.AuditServiceClient
	packs     ambitv1connect.PackServiceClient
	host      ambitv1connect.HostServiceClient
}

func newClient(t *testing.T, h *servertest.Host) client {
	t.Helper()
	c := h.Client()
	t.Cleanup(c.CloseIdleConnections)
	return client{ambitv1connect.NewFileServiceClient(c, base), ambitv1connect.NewTerminalServiceClient(c, base), ambitv1connect.NewExecServiceClient(c, base), ambitv1connect.NewQuestionServiceClient(c, base), ambitv1connect.NewSessionServiceClient(c, base), ambitv1connect.NewGrantServiceClient(c, base),
		ambitv1connect.NewAuditServiceClient(c, base), ambitv1connect.NewPackServiceClient(c, base), ambitv1connect.NewHostServiceClient(c, base)}
}

const base = "http://ambit"

// create starts a session, and wants that to work.
func (c client) create(t *testing.T, r *pb.CreateSessionRequest) *pb.Session {
	t.Helper()
	m, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(r))
	if err != nil {
		t.Fatalf("create %v: %v", r.GetArgv(), err)
	}
	return m.Msg.GetSession()
}

// output is what a session writes until it has ended.
func (c client) output(t *testing.T, id string) (stdout, stderr string, end *pb.SessionEnd) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := c.sessions.StreamOutput(ctx, connect.NewRequest(&pb.StreamOutputRequest{Id: id}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for s.Receive() {
		switch m := s.Msg(); m.GetStream() {
		case pb.OutputStream_OUTPUT_STREAM_STDOUT:
			stdout += string(m.GetData())
		case pb.OutputStream_OUTPUT_STREAM_STDERR:
			stderr += string(m.GetData())
		default:
			end = m.GetEnd()
		}
	}
	if s.Err() != nil || end == nil {
		t.Fatalf("output of %s ends with %v, %v; %q %q", id, end, s.Err(), stdout, stderr)
	}
	return stdout, stderr, end
}

// wantCode wants an error with a code.
func wantCode(t *testing.T, what string, err error, want connect.Code) {
	t.Helper()
	if got := connect.CodeOf(err); err == nil || got != want {
		t.Errorf("%s: got %v (%v), want %v", what, got, err, want)
	}
}

// A program runs in a sandbox, its output and its exit status arrive, and the
// command line sees the same session.
func TestServeSession(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "cat; echo $WORD; echo bad >&2; ls $HOST; exit 3"},
		Stdin: []byte("in\n"), Env: map[string]string{"WORD": "a b", "HOST": h.Home}})
	out, bad, end := c.output(t, s.GetId())
	if out != "in\na b\n" || !strings.HasPrefix(bad, "bad\n") || end.GetExit() == 0 {
		t.Errorf("wrote %q and %q, ended with %v", out, bad, end)
	}
	m, err := c.sessions.GetSession(t.Context(), connect.NewRequest(&pb.GetSessionRequest{Id: s.GetId()}))
	if err != nil || m.Msg.GetSession().GetState() != pb.SessionState_SESSION_STATE_ENDED || m.Msg.GetSession().GetExit() != 3 {
		t.Errorf("it is told as %v, %v", m, err)
	}
	listed, err := h.Command("ps", "--all", "--json").Output()
	if err != nil || !strings.Contains(string(listed), s.GetId()) {
		t.Errorf("ambit ps does not have it: %v %s", err, listed)
	}
	log, err := h.Command("audit", "ls", "--session", s.GetId()).Output()
	if err != nil || !strings.Contains(string(log), "session.start") || !strings.Contains(string(log), "session.end") {
		t.Errorf("the log does not have it: %v %s", err, log)
	}
}

// A launch that is denied says why, as the command line does.
func TestServeDenied(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}, Allow: []string{"fs.read:" + h.State}}))
	wantCode(t, "a grant of the state", err, connect.CodePermissionDenied)
	e, _ := errors.AsType[*connect.Error](err)
	if e == nil || len(e.Details()) == 0 {
		t.Fatalf("there is no denial in %v", err)
	}
	v, err := e.Details()[0].Value()
	d, ok := v.(*pb.Denial)
	if err != nil || !ok || d.GetId() == "" || len(d.GetReasons()) == 0 || !strings.Contains(d.GetCapability(), h.State) {
		t.Errorf("the denial is %v, %v", v, err)
	}
	_, err = c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"no-such-program"}}))
	wantCode(t, "no such program", err, connect.CodeFailedPrecondition)
}

// The same key starts one session, also when the requests come together, and after
// the host was killed; with another request it is refused.
func TestServeOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	r := &pb.CreateSessionRequest{IdempotencyKey: "once", Argv: []string{"sh", "-c", "echo begun"}}
	ids := make(chan string, 4)
	for range cap(ids) {
		go func() {
			m, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(r))
			if err != nil {
				ids <- err.Error()
				return
			}
			ids <- m.Msg.GetSession().GetId()
		}()
	}
	first := <-ids
	for range cap(ids) - 1 {
		if id := <-ids; id != first {
			t.Errorf("one key has the sessions %s and %s", first, id)
		}
	}
	if out, _, _ := c.output(t, first); out != "begun\n" {
		t.Errorf("it wrote %q", out)
	}
	if err := errors.Join(h.End(syscall.SIGKILL), h.Again()); err != nil {
		t.Fatal(err)
	}
	c = newClient(t, h)
	if again := c.create(t, r); again.GetId() != first {
		t.Errorf("after a kill the key has %s, want %s", again.GetId(), first)
	}
	_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{IdempotencyKey: "once", Argv: []string{"true"}}))
	wantCode(t, "another request with the key", err, connect.CodeAlreadyExists)
	log, err := h.Command("audit", "ls", "-n", "0", "--kind", "session.start").Output()
	if n := strings.Count(string(log), "session.start"); err != nil || n != 1 {
		t.Errorf("%d sessions were started, want 1: %v\n%s", n, err, log)
	}
}

// A host that is killed loses nothing: the session goes on, its question waits, and
// the next host has both, with all of the output.
func TestServeKilled(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	secret := filepath.Join(h.Home, "data")
	if err := os.WriteFile(secret, []byte("granted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "echo before; cat " + secret + "; echo after"}, Ask: pb.Ask_ASK_QUEUE, AskBy: "notification", Dir: "/"})
	q := c.question(t, secret)
	if q.GetSession() != s.GetId() {
		t.Errorf("the question is of %s, want %s", q.GetSession(), s.GetId())
	}
	if err := errors.Join(h.End(syscall.SIGKILL), h.Again()); err != nil {
		t.Fatal(err)
	}
	c = newClient(t, h)
	if again := c.question(t, secret); again.GetId() != q.GetId() {
		t.Errorf("the question is %s now, was %s", again.GetId(), q.GetId())
	}
	if g, err := c.grants.ListGrants(t.Context(), connect.NewRequest(&pb.ListGrantsRequest{Ended: true})); err != nil || len(g.Msg.GetGrants()) != 0 {
		t.Errorf("after a kill there are grants: %v %v", g, err)
	}
	c.answer(t, q.GetId(), pb.Verdict_VERDICT_ALLOW)
	if out, bad, end := c.output(t, s.GetId()); out != "before\ngranted\nafter\n" || end.GetExit() != 0 {
		t.Errorf("wrote %q and %q, ended with %v", out, bad, end)
	}
	v, err := c.audit.VerifyLog(t.Context(), connect.NewRequest(&pb.VerifyLogRequest{}))
	if err != nil || !v.Msg.GetIntact() {
		t.Errorf("the log: %v %v", v, err)
	}
}

// question waits for a question about a path.
func (c client) question(t *testing.T, path string) (found *pb.Question) {
	t.Helper()
	until(t, "nobody asks about "+path, func() bool {
		m, err := c.questions.ListQuestions(t.Context(), connect.NewRequest(&pb.ListQuestionsRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range m.Msg.GetQuestions() {
			if strings.Contains(q.GetCapability(), path) {
				found = q
			} else {
				c.answer(t, q.GetId(), pb.Verdict_VERDICT_DENY)
			}
		}
		return found != nil
	})
	return found
}

func (c client) answer(t *testing.T, id string, v pb.Verdict) {
	t.Helper()
	if _, err := c.questions.AnswerQuestion(t.Context(), connect.NewRequest(&pb.AnswerQuestionRequest{Id: id, Verdict: v, Broad: true})); err != nil {
		t.Fatal(err)
	}
}

// A question of a run at the command line is seen and answered through the API,
// one of the API's by the command line, and each once.
func TestServeLive(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	data := filepath.Join(h.Home, "data")
	if err := os.WriteFile(data, []byte("granted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := c.questions.WatchQuestions(ctx, connect.NewRequest(&pb.WatchQuestionsRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	seen := make(chan *pb.WatchQuestionsResponse, 100)
	go func() {
		for watch.Receive() {
			seen <- watch.Msg()
		}
	}()
	run := h.Command("run", "--ask", "queue", "--ask-by", "notification", "--", "cat", data)
	run.Dir = "/"
	var out bytes.Buffer
	run.Stdout = &out
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	q := c.question(t, data)
	saw := func(want func(*pb.WatchQuestionsResponse) bool) {
		t.Helper()
		for end := time.After(patience); ; {
			select {
			case m := <-seen:
				if want(m) {
					return
				}
			case <-end:
				t.Fatal("who watches does not see the question, or its end")
			}
		}
	}
	saw(func(m *pb.WatchQuestionsResponse) bool { return m.GetPut().GetId() == q.GetId() })
	c.answer(t, q.GetId(), pb.Verdict_VERDICT_ALLOW)
	if err := run.Wait(); err != nil || out.String() != "granted\n" {
		t.Errorf("the run ended with %v and wrote %q", err, out.String())
	}
	saw(func(m *pb.WatchQuestionsResponse) bool { return m.GetOver() == q.GetId() })
	_, err = c.questions.AnswerQuestion(t.Context(), connect.NewRequest(&pb.AnswerQuestionRequest{Id: q.GetId(), Verdict: pb.Verdict_VERDICT_DENY}))
	wantCode(t, "a second answer", err, connect.CodeFailedPrecondition)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"cat", data}, Ask: pb.Ask_ASK_QUEUE, AskBy: "notification", Dir: "/"})
	q = c.question(t, data)
	if out, err := h.Command("deny", q.GetId()).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, _, end := c.output(t, s.GetId()); out != "" || end.GetExit() == 0 {
		t.Errorf("what was refused at the command line was read: %q %v", out, end)
	}
}

// Grants of the API are those of the command line, in both directions.
func TestServeGrants(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	name := "fs.read:" + filepath.Join(h.Home, "notes.txt")
	if err := os.WriteFile(filepath.Join(h.Home, "notes.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	added, err := c.grants.AddGrants(t.Context(), connect.NewRequest(&pb.AddGrantsRequest{Capabilities: []string{name}, Verdict: pb.Verdict_VERDICT_ALLOW, Reason: "a test"}))
	if err != nil || len(added.Msg.GetGrants()) != 1 {
		t.Fatalf("added %v, %v", added, err)
	}
	id := added.Msg.GetGrants()[0].GetId()
	if out, err := h.Command("grants", "ls", "--json").Output(); err != nil || !strings.Contains(string(out), id) {
		t.Errorf("ambit grants ls does not have %s: %v %s", id, err, out)
	}
	if out, err := h.Command("grants", "add", "--deny", "fs.read:"+h.Home+"/other").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	list := func() (all []string) {
		m, err := c.grants.ListGrants(t.Context(), connect.NewRequest(&pb.ListGrantsRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range m.Msg.GetGrants() {
			all = append(all, g.GetCapability())
		}
		return all
	}
	if all := list(); len(all) != 2 || !slices.Contains(all, name) {
		t.Errorf("the API lists %v", all)
	}
	if _, err := c.grants.RevokeGrants(t.Context(), connect.NewRequest(&pb.RevokeGrantsRequest{Ids: []string{id}})); err != nil {
		t.Fatal(err)
	}
	if all := list(); len(all) != 1 {
		t.Errorf("after a revocation the API lists %v", all)
	}
	_, err = c.grants.RevokeGrants(t.Context(), connect.NewRequest(&pb.RevokeGrantsRequest{Ids: []string{id}}))
	wantCode(t, "a second revocation", err, connect.CodeFailedPrecondition)
	_, err = c.grants.AddGrants(t.Context(), connect.NewRequest(&pb.AddGrantsRequest{Capabilities: []string{"fs.read:~"}, Verdict: pb.Verdict_VERDICT_ALLOW}))
	wantCode(t, "a broad grant that is not meant", err, connect.CodeFailedPrecondition)
}

// Two hosts do not serve one state folder.
func TestServeTwice(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if out, err := h.Command("serve").CombinedOutput(); err == nil || !strings.Contains(string(out), "another ambit serve") {
		t.Errorf("a second host: %v %s", err, out)
	}
	if _, err := newClient(t, h).host.CheckHealth(t.Context(), connect.NewRequest(&pb.CheckHealthRequest{})); err != nil {
		t.Errorf("the first one is gone: %v", err)
	}
}

// What the API says of the host, of packs and of the log.
func TestServeFacts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	health, err := c.host.CheckHealth(t.Context(), connect.NewRequest(&pb.CheckHealthRequest{}))
	if err != nil || !health.Msg.GetReady() {
		t.Errorf("health: %v %v", health, err)
	}
	if v, err := c.host.GetVersion(t.Context(), connect.NewRequest(&pb.GetVersionRequest{})); err != nil || v.Msg.GetPrincipal() != fmt.Sprintf("uid:%d", os.Getuid()) {
		t.Errorf("version: %v %v", v, err)
	}
	pack := filepath.Join(h.Dir, "pack")
	manifest := `{"id": "org.example.said", "version": "1.0.0", "kind": "cli-tool", "entry": ["echo", "said"], "capabilities": [{"capability": "fs.read:~/notes", "reason": "to read them"}]}`
	if err := errors.Join(os.Mkdir(pack, 0o755), os.WriteFile(filepath.Join(pack, "ambit.json"), []byte(manifest), 0o644)); err != nil {
		t.Fatal(err)
	}
	s := c.create(t, &pb.CreateSessionRequest{Pack: pack})
	if out, bad, end := c.output(t, s.GetId()); out != "said\n" || end.GetExit() != 0 {
		t.Errorf("the pack wrote %q %q and ended with %v", out, bad, end)
	}
	packs, err := c.packs.ListPacks(t.Context(), connect.NewRequest(&pb.ListPacksRequest{}))
	if err != nil || len(packs.Msg.GetPacks()) != 1 || packs.Msg.GetPacks()[0].GetId() != "org.example.said" {
		t.Errorf("packs: %v %v", packs, err)
	}
	p, err := c.packs.GetPack(t.Context(), connect.NewRequest(&pb.GetPackRequest{Id: "org.example.said"}))
	if err != nil || len(p.Msg.GetWants()) != 1 || p.Msg.GetWants()[0].GetGranted() || p.Msg.GetWants()[0].GetReason() != "to read them" {
		t.Errorf("the pack: %v %v", p, err)
	}
	c.records(t, s.GetId())
}

// records reads the log of a session by pages, by number and as a stream, and wants
// the same each time.
func (c client) records(t *testing.T, session string) {
	t.Helper()
	filter := &pb.RecordFilter{Session: session}
	var pages []uint64
	for token := ""; ; {
		m, err := c.audit.ListRecords(t.Context(), connect.NewRequest(&pb.ListRecordsRequest{Filter: filter, PageSize: 2, PageToken: token}))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range m.Msg.GetRecords() {
			pages = append(pages, r.GetSeq())
		}
		if token = m.Msg.GetNextPageToken(); token == "" {
			break
		}
	}
	slices.Reverse(pages)
	if len(pages) < 3 {
		t.Fatalf("the log has %v of the session", pages)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := c.audit.StreamRecords(ctx, connect.NewRequest(&pb.StreamRecordsRequest{Filter: filter, From: 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, want := range pages {
		if !s.Receive() || s.Msg().GetRecord().GetSeq() != want {
			t.Fatalf("the stream has %v, %v, want %d", s.Msg(), s.Err(), want)
		}
	}
	m, err := c.audit.GetRecord(t.Context(), connect.NewRequest(&pb.GetRecordRequest{Ref: fmt.Sprint(pages[0])}))
	if err != nil || m.Msg.GetRecord().GetSession() != session {
		t.Errorf("record %d: %v %v", pages[0], m, err)
	}
}

// A session is ended through the API, also before it is on the list.
func TestServeStop(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sleep", "1000"}})
	if s.GetState() != pb.SessionState_SESSION_STATE_RUNNING {
		t.Errorf("it is %v", s.GetState())
	}
	if _, err := c.sessions.StopSession(t.Context(), connect.NewRequest(&pb.StopSessionRequest{Id: s.GetId()})); err != nil {
		t.Fatal(err)
	}
	if _, _, end := c.output(t, s.GetId()); end.GetExit() == 0 {
		t.Errorf("it ended with %v", end)
	}
	_, err := c.sessions.StopSession(t.Context(), connect.NewRequest(&pb.StopSessionRequest{Id: s.GetId()}))
	wantCode(t, "to stop what has ended", err, connect.CodeFailedPrecondition)
	m, err := c.sessions.ListSessions(t.Context(), connect.NewRequest(&pb.ListSessionsRequest{}))
	if err != nil || len(m.Msg.GetSessions()) != 0 {
		t.Errorf("there run %v, %v", m, err)
	}
}
