package serve_test

import (
	"bytes"
	"context"
	bytesOf "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/server/servertest"
	"ambit.dev/ambit/internal/store"
)

// mark is in whatever an organisation has here.
const mark = "acmesecret"

// A member calls by JSON with a token.
type member struct {
	client *http.Client
	base   string
}

func joins(t *testing.T, h *servertest.Host, address, name, org string) member {
	t.Helper()
	args := []string{"token", "add", name, "--role", "admin"}
	if org != "" {
		args = append(args, "--org", org)
	}
	out, err := h.Command(args...).Output()
	if err != nil {
		t.Fatalf("make a token: %v", err)
	}
	return member{holder(t, h, strings.TrimSpace(string(out))), "https://" + address}
}

// call calls a route, and returns all of what is answered; of a stream what comes
// until done says so, or the bound is over.
func (m member) call(t *testing.T, procedure, body string, streams bool, within time.Duration, done func(string) bool) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	kind, text := "application/json", []byte(body)
	if streams {
		kind = "application/connect+json"
		text = append(bytesOf.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.base+procedure, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	a, err := m.client.Do(r)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return 0, "" // a stream that says nothing
		}
		t.Fatalf("%s: %v", procedure, err)
	}
	defer a.Body.Close()
	var all strings.Builder
	part := make([]byte, 1<<16)
	for {
		n, err := a.Body.Read(part)
		all.Write(part[:n])
		if err != nil || done != nil && done(all.String()) {
			if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
				t.Fatalf("%s: %v", procedure, err)
			}
			return a.StatusCode, all.String()
		}
	}
}

// want calls a route, and reads what is answered.
func (m member) want(t *testing.T, procedure, body string, into any) {
	t.Helper()
	code, text := m.call(t, procedure, body, false, patience, nil)
	if code != http.StatusOK {
		t.Fatalf("%s %s is answered %d %s", procedure, body, code, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

type told struct {
	Sessions  []struct{ ID, State string }
	Questions []struct{ ID string }
	Grants    []struct{ ID, Revoked string }
	Records   []struct{ ID string }
	Session   struct{ ID, State string }
}

// owned is what an organisation has: of everything one.
type owned struct{ ended, runs, question, grant, record string }

func (m member) fill(t *testing.T, h *servertest.Host) (o owned) {
	t.Helper()
	var a told
	m.want(t, "/ambit.v1.GrantService/AddGrants", `{"verdict":"VERDICT_ALLOW","capabilities":["fs.read:`+h.Home+`/`+mark+`"]}`, &a)
	o.grant = a.Grants[0].ID
	m.want(t, "/ambit.v1.SessionService/CreateSession", `{"argv":["echo","`+mark+`"]}`, &a)
	o.ended = a.Session.ID
	m.want(t, "/ambit.v1.SessionService/CreateSession", `{"argv":["sh","-c","touch /tmp/`+mark+`; echo `+mark+`; sleep 3600"],"terminal":{"columns":80,"rows":24}}`, &a)
	o.runs = a.Session.ID
	m.want(t, "/ambit.v1.ExecService/CreateExec", `{"session":"`+o.runs+`","argv":["sh","-c","sleep 3600","`+mark+`"]}`, &a)
	name, err := capability.Parse("fs.read:" + h.Home + "/" + mark)
	if err != nil {
		t.Fatal(err)
	}
	o.question = "d-aaaaaaaaaa"
	ask(t, h, store.Approval{ID: o.question, Session: o.runs, Principal: fmt.Sprintf("uid:%d@acme", os.Getuid()), Program: "/bin/" + mark, PID: 1, Argv: []string{mark}, Capability: name,
		Offers: []store.Offer{{Capability: name, Scope: "file", Words: "it"}}, Asked: time.Now(), Expires: time.Now().Add(time.Hour)})
	m.want(t, "/ambit.v1.AuditService/ListRecords", `{"filter":{"session":"`+o.ended+`"}}`, &a)
	o.record = a.Records[0].ID
	return o
}

// ask puts a question on the list, as a session does that waits.
func ask(t *testing.T, h *servertest.Host, q store.Approval) {
	t.Helper()
	db := &store.Database{Path: filepath.Join(filepath.Dir(binary), "ambit-store")}
	list, err := db.OpenList(filepath.Join(h.State, "sessions.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { list.Close() }) // whoever asks is there as long
	if err := list.AddApproval(t.Context(), q); err != nil {
		t.Fatal(err)
	}
}

// Two organisations on one host: every route there is, asked by an admin of the other
// one for all that this one has, tells nothing of it and changes nothing. The same
// requests tell its own people, and who runs the machine, of all of it.
func TestOrganisations(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	acme, beta, machine := joins(t, h, address, "a", "acme"), joins(t, h, address, "b", "beta"), joins(t, h, address, "m", "")
	o := acme.fill(t, h)
	shows := []string{"ListQuestions", "WatchQuestions", "ListSessions", "GetSession", "ListExecs", "StreamOutput", "ListFiles", "ListGrants", "ListRecords", "GetRecord", "StreamRecords"}
	tells := map[string]bool{} // by the last name of a route: it told
	for _, r := range server.Routes() {
		name := r.Procedure[strings.LastIndexByte(r.Procedure, '/')+1:]
		for _, id := range []string{o.runs, o.ended, o.question, o.grant, o.record} {
			if r.Streams() && id != o.runs {
				continue // they go by no other id
			}
			body := fmt.Sprintf(`{"id":%q,"ref":%[1]q,"ids":[%[1]q],"session":%[1]q,"path":"/tmp","ended":true,"from":"1","verdict":"VERDICT_ALLOW","writer":"w","data":"eAo=","size":{"columns":9,"rows":9},"argv":["true"],"capabilities":["fs.read:/none"],"idempotencyKey":"k"}`, id)
			code, text := beta.call(t, r.Procedure, body, r.Streams(), 300*time.Millisecond+patience*time.Duration(b2i(!r.Streams())), nil)
			if o.tells(text) {
				t.Errorf("%s tells another organisation %s", r.Procedure, text)
			}
			if refused := code == http.StatusForbidden && strings.Contains(text, "who runs the machine"); refused != (r.Shows == server.Machines) {
				t.Errorf("%s is answered %d %s", r.Procedure, code, text)
			}
			if added := name == "CreateSession" || name == "AddGrants"; r.Shows == server.Owned && r.Changes() && !added && code == http.StatusOK {
				t.Errorf("%s changes for another organisation: %s", r.Procedure, text)
			}
			if !slices.Contains(shows, name) {
				continue
			}
			for who, m := range map[string]member{"acme": acme, "machine": machine} {
				if _, text := m.call(t, r.Procedure, body, r.Streams(), patience, func(all string) bool { return r.Streams() && o.tells(all) }); o.tells(text) {
					tells[who+" "+name] = true
				}
			}
		}
	}
	for _, name := range shows {
		for _, who := range []string{"acme", "machine"} {
			if !tells[who+" "+name] {
				t.Errorf("%s tells nothing to %s: whether it tells others was not tried", name, who)
			}
		}
	}
	if code, text := beta.call(t, server.MetricsPath, "", false, patience, nil); code != http.StatusForbidden {
		t.Errorf("an organisation is told numbers of the machine: %d %s", code, text)
	}
	wantUntouched(t, acme, o)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// tells reports whether a text tells of what an organisation has: by its mark, which
// streams of output have as base64, or as one of its sessions.
func (o owned) tells(text string) bool {
	return slices.ContainsFunc([]string{mark, "YWNtZXNlY3JldA", `"id":"` + o.runs, `"id":"` + o.ended}, func(it string) bool { return strings.Contains(text, it) })
}

// wantUntouched wants what an organisation has to be as it was.
func wantUntouched(t *testing.T, m member, o owned) {
	t.Helper()
	var a told
	m.want(t, "/ambit.v1.SessionService/GetSession", `{"id":"`+o.runs+`"}`, &a)
	m.want(t, "/ambit.v1.QuestionService/ListQuestions", `{}`, &a)
	m.want(t, "/ambit.v1.GrantService/ListGrants", `{"ended":true}`, &a)
	if a.Session.State != "SESSION_STATE_RUNNING" || len(a.Questions) != 1 || len(a.Grants) != 1 || a.Grants[0].Revoked != "" {
		t.Errorf("another organisation changed something: %+v", a)
	}
}

// What an organisation granted holds for its own sessions, and for nobody else's: the
// same program with the same name of a file is refused elsewhere. Who runs the machine
// may answer, revoke and end what is an organisation's.
func TestOrganisationsGrants(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	acme, beta, machine := joins(t, h, address, "a", "acme"), joins(t, h, address, "b", "beta"), joins(t, h, address, "m", "")
	file := filepath.Join(h.Home, "file")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	var a told
	acme.want(t, "/ambit.v1.GrantService/AddGrants", `{"verdict":"VERDICT_ALLOW","capabilities":["fs.read:`+file+`"]}`, &a)
	for who, m := range map[string]member{"acme": acme, "beta": beta, "machine": machine} {
		var s told
		m.want(t, "/ambit.v1.SessionService/CreateSession", `{"argv":["cat","`+file+`"]}`, &s)
		_, out := m.call(t, "/ambit.v1.SessionService/StreamOutput", `{"id":"`+s.Session.ID+`"}`, true, patience, func(all string) bool { return strings.Contains(all, `"end"`) })
		if got := strings.Contains(out, `"exit":0`) || !strings.Contains(out, `"exit"`); got != (who == "acme") {
			t.Errorf("a session of %s reads it: %v\n%s", who, got, out)
		}
	}
	for what, body := range map[string]string{"Session": `{"ended":true}`, "Grant": `{}`} {
		_, all := machine.call(t, "/ambit.v1."+what+"Service/List"+what+"s", body, false, patience, nil)
		if !strings.Contains(all, `"organisation":"acme"`) || what == "Session" && !strings.Contains(all, `"organisation":"beta"`) {
			t.Errorf("who runs the machine is not told whose it is: %s", all)
		}
	}
	if _, all := acme.call(t, "/ambit.v1.AuditService/ListRecords", `{"filter":{"kind":"session.start"}}`, false, patience, nil); !strings.Contains(all, `"organisation":"acme"`) {
		t.Errorf("records do not say whose they are: %s", all)
	}
	out, err := h.Command("grants", "ls").Output()
	if err != nil || !strings.Contains(string(out), "ad hoc runs of acme") {
		t.Errorf("at the terminal: %v\n%s", err, out)
	}
	if out, err := h.Command("--org", "beta", "grants", "revoke", a.Grants[0].ID).CombinedOutput(); err == nil {
		t.Errorf("for another organisation it is revoked: %s", out)
	}
	machine.want(t, "/ambit.v1.GrantService/RevokeGrants", `{"ids":["`+a.Grants[0].ID+`"]}`, &a)
	if out, err := h.Command("audit", "ls", "--kind", "api.call").Output(); err != nil || !strings.Contains(string(out), "by token a of acme, admin: GrantService/AddGrants") {
		t.Errorf("the log says %v\n%s", err, out)
	}
	for _, args := range [][]string{{"--org", "acme", "secret", "ls"}, {"--org", "acme", "serve"}, {"--org", "a@b", "run", "--", "true"}, {"--org", "", "run", "--", "true"}} {
		if out, err := h.Command(args...).CombinedOutput(); err == nil || !strings.Contains(string(out), "organisation") && !strings.Contains(string(out), "whole machine") {
			t.Errorf("%q: %v %s", args, err, out)
		}
	}
}
