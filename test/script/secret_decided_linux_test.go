package script_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// requests makes a request for each line that it reads, over one connection, and
// prints its status.
const requests = `import http.client, os, ssl, sys, urllib.parse
u = urllib.parse.urlsplit(sys.argv[1])
c = http.client.HTTPSConnection(u.netloc, context=ssl.create_default_context())
for line in sys.stdin:
    c.request("GET", line.strip(), headers={"Authorization": "Bearer " + os.environ["TOKEN"]})
    r = c.getresponse()
    text = r.read().decode()
    print(r.status, text.replace("\n", " "), flush=True)
`

// A talker is a run of requests.
type talker struct {
	t    *testing.T
	pid  int // of ambit
	in   io.Writer
	out  *bufio.Reader
	wait func()
}

// talk starts one.
func (s *secretBench) talk(args ...string) *talker {
	s.t.Helper()
	cmd := s.command(append(args, "python3", "-c", requests, s.url(""))...)
	in, err := cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	var errors strings.Builder
	cmd.Stderr = &errors
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return &talker{t: s.t, pid: cmd.Process.Pid, in: in, out: bufio.NewReader(out), wait: func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("%v: %s", err, errors.String())
		}
	}}
}

// ask makes a request and wants its answer to have these words.
func (x *talker) ask(path string, words ...string) {
	x.t.Helper()
	if _, err := io.WriteString(x.in, path+"\n"); err != nil {
		x.t.Fatal(err)
	}
	line, err := x.out.ReadString('\n')
	if err != nil {
		x.t.Fatalf("%s: %q, %v", path, line, err)
	}
	for _, w := range words {
		if !strings.Contains(line, w) {
			x.t.Errorf("%s: got %q, want %q", path, line, w)
		}
	}
}

// TestSecretRevoked: what was revoked is refused from the next request on, over
// the same connection; a new value is used from the next on as well.
func TestSecretRevoked(t *testing.T) {
	s := newSecretBench(t)
	grant := func() { s.run("grants", "add", "net.connect:"+s.host(), "secret.use:token@"+s.host()).want(t, 0) }
	revoke := func() {
		r := s.run("grants", "ls", "--json")
		for _, g := range grantsIn(t, r.out) {
			if strings.HasPrefix(g.Capability, "secret.use:") {
				s.run("grants", "revoke", g.ID).want(t, 0)
			}
		}
	}
	grant()
	x := s.talk("run", "--ask", "none", "--")
	x.ask("/plain?1", "200 hello")
	revoke()
	x.ask("/plain?2", "403 ", `"withdrawn"`, "the secret token is not granted", "[d-")
	grant()
	x.ask("/plain?3", "200 hello")
	s.run("grants", "add", "--deny", "secret.use:token@"+s.host()).want(t, 0)
	x.ask("/plain?4", "403 ", `"withdrawn"`)
	for _, g := range grantsIn(t, s.run("grants", "ls", "--json").out) {
		if g.Outcome == "deny" {
			s.run("grants", "revoke", g.ID).want(t, 0)
		}
	}
	x.ask("/plain?5", "200 hello")
	cmd := s.command("secret", "set", "token")
	cmd.Stdin = strings.NewReader("another value\n")
	s.finish(cmd).want(t, 0)
	x.ask("/plain?6", "200 hello")
	if !strings.Contains(s.api.sent(), "Bearer another value\r\n") {
		t.Error("the new value is not used")
	}
	s.set("token", "--for", "api.example.com")
	x.ask("/plain?7", "403 ", `"withdrawn"`, "bound elsewhere")
	s.set("token", "--for", s.host())
	x.ask("/plain?8", "200 hello")
	s.run("secret", "rm", "token").want(t, 0)
	x.ask("/plain?9", "403 ", `"withdrawn"`, "no longer in the vault")
	x.wait()
	for _, refused := range []string{"?2", "?4", "?7", "?9"} {
		if strings.Contains(s.api.sent(), "/plain"+refused) {
			t.Errorf("the server got what was refused:\n%s", s.api.sent())
		}
	}
	if got := strings.Count(s.api.sent(), secretValue); got != 4 {
		t.Errorf("the server got the value %d times, want 4", got)
	}
}

// TestSecretAsked: where a person is asked, the request waits for the answer, and
// a no is a no. A secret that nobody granted and nothing names is not even shown.
func TestSecretAsked(t *testing.T) {
	s := secretFor(t, newHiddenBench(t))
	s.set("other", "--for", s.host(), "--env-name", "OTHER")
	s.write("pack/ambit.json", `{"id": "org.example.uses", "name": "uses", "version": "1", "kind": "cli-tool", "entry": ["sh", "./run.sh"],
		"capabilities": ["net.connect:`+s.host()+`", {"capability": "secret.use:token@`+s.host()+`", "env": "GH_TOKEN"}, "process.spawn"]}`)
	s.write("pack/run.sh", `test -z "$OTHER" && test -z "$TOKEN" && TOKEN=$GH_TOKEN && test -n "$TOKEN" && `+bearer+`"$1"`)
	s.run("grants", "add", "--pack", "pack", "net.connect:"+s.host(), "process.spawn").want(t, 0)
	a := s.ask([]string{"--ask-by", "notification", "--pack", "pack"}, s.url("/plain"))
	q := s.question(a)
	if want := "secret.use:token@" + s.host(); q.Question.Capability != want {
		t.Errorf("asked about %s, want %s", q.Question.Capability, want)
	}
	if sent := s.api.sent(); sent != "" {
		t.Errorf("before the answer the server got %s", sent)
	}
	s.run("deny", q.Question.ID).want(t, 0)
	_ = a.Wait() // curl takes a 403 for a success
	if !strings.Contains(a.out.String(), `"not-granted"`) || s.api.sent() != "" {
		t.Errorf("after a no: %q %q, the server got %q", a.out.String(), a.err.String(), s.api.sent())
	}
	a = s.ask([]string{"--ask-by", "notification", "--pack", "pack"}, s.url("/plain"))
	q = s.question(a)
	s.run("approve", q.Question.ID).want(t, 0)
	if err := a.Wait(); err != nil || a.out.String() != "hello\n" {
		t.Errorf("after a yes: %v, %q %q", err, a.out.String(), a.err.String())
	}
	s.arrived(ran{}, 1)
	// Nobody is asked, nobody has granted: it is not there.
	r := s.run("run", "--ask", "none", "--pack", "pack", s.url("/plain"))
	if r.status == 0 || strings.Contains(s.api.sent(), "second") {
		t.Errorf("%v", r)
	}
}

// TestSecretOtherSandbox: the placeholder of one sandbox is worth nothing in
// another, which has the same secret.
func TestSecretOtherSandbox(t *testing.T) {
	s := newSecretBench(t)
	r := s.with("sh", "-c", `echo "$TOKEN"`)
	r.want(t, 0)
	foreign := strings.TrimSpace(r.out)
	r = s.with("sh", "-c", `test "$TOKEN" != "$2" && curl -sS -H "Authorization: Bearer $2" "$1"`, "sh", s.url("/plain"), foreign)
	r.want(t, 0, "hello")
	if sent := s.api.sent(); strings.Contains(sent, secretValue) || !strings.Contains(sent, foreign) {
		t.Errorf("the server got %s", sent)
	}
	s.arrived(s.shell("/plain", bearer+`"$1"`), 1) // the control
}

// TestSecretRefused: a launch that could not keep its word does not begin.
func TestSecretRefused(t *testing.T) {
	s := newSecretBench(t)
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"no such secret", []string{"--allow", "net.connect:" + s.host(), "--allow", "secret.use:nothing@" + s.host()}},
		{"is bound to https://" + s.host(), []string{"--allow", "net.connect:" + s.host(), "--allow", "secret.use:token@api.example.com"}},
		{"no link to a network", []string{"--allow", "secret.use:token@" + s.host()}},
		{"--env TOKEN would show", []string{"--env", "TOKEN=x", "--allow", "net.connect:" + s.host(), "--allow", "secret.use:token@" + s.host()}},
	} {
		r := s.run(append(append([]string{"run", "--ask", "none"}, tc.args...), "--", "true")...)
		if r.status != 125 || !strings.Contains(r.err, tc.want) {
			t.Errorf("%q: status %d, %s", tc.want, r.status, r.err)
		}
	}
	// The vault is closed to a sandbox that is shown the folder that it lies in; and
	// it is there.
	root := filepath.Dir(s.home)
	identity := filepath.Join(root, "state", "vault", "identity")
	if text, err := os.ReadFile(identity); err != nil || !strings.HasPrefix(string(text), "AGE-SECRET-KEY-") {
		t.Errorf("the identity outside: %q, %v", text, err)
	}
	r := s.run("run", "--ask", "none", "--allow", "fs.read:"+root, "--allow", "fs.write:"+s.home, "--", "sh", "-c", `ls "$1"; cat "$2"`, "sh", s.home, identity)
	if r.status == 0 || strings.Contains(r.out, "AGE-SECRET-KEY") {
		t.Errorf("inside: %d, %s%s", r.status, r.out, r.err)
	}
	// Without the right to it, the secret is not there, and its server gets nothing.
	r = s.run("run", "--ask", "none", "--allow", "net.connect:"+s.host(), "--", "sh", "-c", `test -z "$TOKEN" && curl -sS -k "$1"`, "sh", s.url("/plain"))
	r.want(t, 0, "hello")
	s.arrived(r, 0)
}

// A listed grant is one of `ambit grants ls --json`.
type listed struct{ ID, Capability, Outcome string }

func grantsIn(t *testing.T, text string) (all []listed) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return all
}
