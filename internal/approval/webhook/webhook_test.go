package webhook_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/approval/webhook"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

const secret = "0123456789abcdef-secret"

var now = time.Date(2026, 11, 22, 15, 4, 5, 0, time.UTC)

func parse(text string) capability.Capability {
	c, err := capability.Parse(text)
	if err != nil {
		panic(err)
	}
	return c
}

func question() approval.Question {
	return approval.Question{
		ID: "d-7f3ak2mq5x", Session: "s-zdi56lqttz", Principal: "uid:1000", Program: "python3", PID: 4711,
		Argv: []string{"python3", "notes.py", "\x1b[2J"}, Capability: parse("fs.read:/home/ana/notes/a.txt"),
		Offers: []approval.Offer{
			{Capability: parse("fs.read:/home/ana/notes/a.txt"), Scope: approval.ScopeFile, Words: "this file"},
			{Capability: parse("fs.read:/home/ana/notes"), Scope: approval.ScopeDir, Words: "the directory", Broad: true},
		},
		Asked: now, Expires: now.Add(5 * time.Minute),
	}
}

func newSecret(t *testing.T, text string) webhook.Secret {
	t.Helper()
	s, err := webhook.NewSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// service is the other side.
type service struct {
	*httptest.Server
	t     *testing.T
	asked atomic.Int32
}

// newService answers questions with respond.
func newService(t *testing.T, respond func(s *service, w http.ResponseWriter, r *http.Request)) *service {
	t.Helper()
	s := &service{t: t}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		respond(s, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// front asks s, with nonces that are counted.
func (s *service) front() *webhook.Front {
	s.t.Helper()
	n := 0
	f, err := webhook.New(webhook.Config{URL: s.URL + "/ask", Secret: newSecret(s.t, secret), Now: func() time.Time { return now },
		Nonce: func() string { n++; return "nonce-" + strconv.Itoa(n) }})
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// answer is what a service says.
type answer struct {
	body   string
	of     string // what the signature is of
	at     time.Time
	nonce  string
	secret string
}

// yes is a good answer to the first question.
func yes() answer {
	return answer{body: `{"version":1,"question":"d-7f3ak2mq5x","nonce":"nonce-1","outcome":"allow","scope":"file","for":"session","by":"ana"}`,
		of: "answer", at: now, nonce: "nonce-1", secret: secret}
}

// with replaces a part of the body.
func (a answer) with(old, replacement string) answer {
	if !strings.Contains(a.body, old) {
		panic(old)
	}
	a.body = strings.Replace(a.body, old, replacement, 1)
	return a
}

func (a answer) write(t *testing.T, w http.ResponseWriter) {
	t.Helper()
	at := strconv.FormatInt(a.at.Unix(), 10)
	w.Header().Set("X-Ambit-Timestamp", at)
	w.Header().Set("X-Ambit-Nonce", a.nonce)
	w.Header().Set("X-Ambit-Signature", webhook.Sign(newSecret(t, a.secret), a.of, at, a.nonce, a.body))
	_, _ = io.WriteString(w, a.body)
}

func ask(t *testing.T, f *webhook.Front, q approval.Question) (approval.Answer, error) {
	t.Helper()
	ctx, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	a, err := f.Ask(ctx, q)
	if err != nil && a != (approval.Answer{}) {
		t.Errorf("error %v and answer %+v", err, a)
	}
	if err != nil && strings.Contains(err.Error(), secret) {
		t.Errorf("the secret is in the error %q", err)
	}
	return a, err
}

// TestQuestion: what is sent is what the schema says, signed.
func TestQuestion(t *testing.T) {
	s := newService(t, func(s *service, w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/ask" || r.Header.Get("Content-Type") != "application/json" {
			s.t.Errorf("%s %s %v %v", r.Method, r.URL, r.Header, err)
		}
		at, nonce := r.Header.Get("X-Ambit-Timestamp"), r.Header.Get("X-Ambit-Nonce")
		if at != strconv.FormatInt(now.Unix(), 10) || r.Header.Get("X-Ambit-Signature") != webhook.Sign(newSecret(s.t, secret), "question", at, nonce, string(body)) {
			s.t.Errorf("headers %v", r.Header)
		}
		valid(s.t, "question", body)
		if strings.Contains(string(body), "\x1b") || strings.Contains(string(body), `\u001b`) {
			s.t.Errorf("not escaped: %s", body)
		}
		yes().write(s.t, w)
	})
	q := question()
	q.Argv = append(q.Argv, strings.Repeat("x", 10_000))
	for range 1000 {
		q.Argv = append(q.Argv, "word")
	}
	a, err := ask(t, s.front(), q)
	want := approval.Answer{Question: q.ID, Outcome: grant.Allow, Capability: q.Offers[0].Capability, Span: grant.Session,
		By: "webhook " + strings.TrimPrefix(s.URL, "http://") + ": ana"}
	if err != nil || a != want {
		t.Errorf("got %+v, %v", a, err)
	}
}

// valid holds a body to the published schema.
func valid(t *testing.T, def string, body []byte) {
	t.Helper()
	c := jsonschema.NewCompiler()
	text, err := os.ReadFile("../../../api/ask.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err == nil {
		err = c.AddResource("ask.schema.json", doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("ask.schema.json#/$defs/" + def)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(body)))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

func TestAnswers(t *testing.T) {
	until := now.Add(time.Hour)
	for _, tc := range []struct {
		name string
		say  answer
		want approval.Answer
	}{
		{"once", yes().with(`"session"`, `"once"`), approval.Answer{Outcome: grant.Allow, Capability: question().Offers[0].Capability}},
		{"by capability", yes().with(`"file"`, `"fs.read:/home/ana/notes/a.txt"`),
			approval.Answer{Outcome: grant.Allow, Capability: question().Offers[0].Capability, Span: grant.Session}},
		{"the directory, meant", yes().with(`"file"`, `"dir","broad":true`).with("session", "always"),
			approval.Answer{Outcome: grant.Allow, Capability: question().Offers[1].Capability, Span: grant.Always}},
		{"until", yes().with(`"session"`, `"until","until":"2026-11-22T16:04:05Z"`),
			approval.Answer{Outcome: grant.Allow, Capability: question().Offers[0].Capability, Span: grant.Until, Until: until}},
		{"no", yes().with(`"allow","scope":"file"`, `"deny"`).with("session", "once"), approval.Answer{Capability: question().Capability}},
		{"never", yes().with(`"allow","scope":"file"`, `"deny","scope":"dir"`).with("session", "always"),
			approval.Answer{Capability: question().Offers[1].Capability, Span: grant.Always}},
		{"a little early", answer{yes().body, "answer", now.Add(4 * time.Minute), "nonce-1", secret},
			approval.Answer{Outcome: grant.Allow, Capability: question().Offers[0].Capability, Span: grant.Session}},
	} {
		valid(t, "answer", []byte(tc.say.body))
		s := newService(t, func(s *service, w http.ResponseWriter, _ *http.Request) { tc.say.write(s.t, w) })
		f := s.front()
		a, err := ask(t, f, question())
		tc.want.Question, tc.want.By = question().ID, f.Name()+": ana"
		if err != nil || a != tc.want {
			t.Errorf("%s: got %+v, %v, want %+v", tc.name, a, err, tc.want)
		}
	}
}

// TestRefused: nothing but a good answer is one.
func TestRefused(t *testing.T) {
	raw := func(status int, body string) func(*service, http.ResponseWriter, *http.Request) {
		return func(_ *service, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	signed := func(a answer) func(*service, http.ResponseWriter, *http.Request) {
		return func(s *service, w http.ResponseWriter, _ *http.Request) { a.write(s.t, w) }
	}
	other, reflected, old, future, replay := yes(), yes(), yes(), yes(), yes()
	other.secret = "another secret, long enough"
	reflected.of = "question"
	old.at, future.at = now.Add(-6*time.Minute), now.Add(6*time.Minute)
	replay.nonce = "nonce-0"
	for _, tc := range []struct {
		name    string
		respond func(*service, http.ResponseWriter, *http.Request)
		want    string
	}{
		{"unsigned", raw(200, yes().body), "signature"},
		{"another secret", signed(other), "signature"},
		{"a signature of a question", signed(reflected), "signature"},
		{"old", signed(old), "another time"},
		{"of the future", signed(future), "another time"},
		{"replayed", signed(replay), "another question"},
		{"replayed, in the body", signed(yes().with("nonce-1", "nonce-0")), "another question"},
		{"another id", signed(yes().with("d-7f3ak2mq5x", "d-other")), "another question"},
		{"what was not offered", signed(yes().with(`"file"`, `"fs.read:/home/ana"`)), "not offered"},
		{"a scope that was not offered", signed(yes().with(`"file"`, `"declared"`)), "not offered"},
		{"no scope", signed(yes().with(`"scope":"file",`, "")), "not offered"},
		{"far-reaching, not meant", signed(yes().with(`"file"`, `"dir"`)), "broad"},
		{"another version", signed(yes().with(`"version":1`, `"version":2`)), "version"},
		{"an unknown key", signed(yes().with(`"version":1`, `"version":1,"also":1`)), "unknown field"},
		{"an unknown outcome", signed(yes().with("allow", "maybe")), "maybe"},
		{"no outcome", signed(yes().with(`"outcome":"allow",`, "")), "allow or deny"},
		{"an unknown span", signed(yes().with("session", "ever")), "ever"},
		{"until without a time", signed(yes().with("session", "until")), "time"},
		{"until a time that is over", signed(yes().with(`"session"`, `"until","until":"2026-11-22T15:00:00Z"`)), "time"},
		{"a time with session", signed(yes().with(`"session"`, `"session","until":"2026-11-23T15:00:00Z"`)), "time"},
		{"two answers", signed(yes().with("}", "}{}")), "nothing after"},
		{"no JSON", signed(answer{body: "yes", of: "answer", at: now, nonce: "nonce-1", secret: secret}), "read the answer"},
		{"empty", raw(200, ""), "signature"},
		{"too much", raw(200, strings.Repeat("x", 100_000)), "longer"},
		{"an error", raw(500, ""), "status 500"},
		{"not found", raw(404, ""), "status 404"},
		{"accepted, and nowhere", raw(202, ""), "Location"},
		{"a signed error", func(s *service, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			yes().write(s.t, w)
		}, "status 403"},
		{"a redirect", func(s *service, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/ask" {
				http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
				return
			}
			yes().write(s.t, w)
		}, "redirects"},
		{"an answer elsewhere", func(_ *service, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/answer")
			w.WriteHeader(202)
		}, "another host"},
		{"it hangs up", func(*service, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		s := newService(t, tc.respond)
		_, err := ask(t, s.front(), question())
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want it to say %q", tc.name, err, tc.want)
		}
		if n := s.asked.Load(); n != 1 {
			t.Errorf("%s: %d requests", tc.name, n)
		}
	}
}

// TestReplay: an answer that was good is good once.
func TestReplay(t *testing.T) {
	s := newService(t, func(s *service, w http.ResponseWriter, _ *http.Request) { yes().write(s.t, w) })
	f := s.front()
	if _, err := ask(t, f, question()); err != nil {
		t.Fatal(err)
	}
	if a, err := ask(t, f, question()); err == nil {
		t.Errorf("got %+v", a)
	}
}

// TestPoll: the answer comes later.
func TestPoll(t *testing.T) {
	s := newService(t, func(s *service, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ask" {
			w.Header().Set("Location", "answers/1?x=y")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(202)
			return
		}
		at, nonce := r.Header.Get("X-Ambit-Timestamp"), r.Header.Get("X-Ambit-Nonce")
		if r.Method != http.MethodGet || nonce != "nonce-1" || r.URL.RequestURI() != "/answers/1?x=y" ||
			r.Header.Get("X-Ambit-Signature") != webhook.Sign(newSecret(s.t, secret), "poll", at, nonce, r.URL.RequestURI()) {
			s.t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		switch s.asked.Load() {
		case 2:
			w.WriteHeader(503)
		case 3:
			w.WriteHeader(202)
		default:
			yes().write(s.t, w)
		}
	})
	begun := time.Now()
	if a, err := ask(t, s.front(), question()); err != nil || a.Outcome != grant.Allow {
		t.Errorf("got %+v, %v", a, err)
	}
	if took := time.Since(begun); took < 3*time.Second {
		t.Errorf("looked %d times in %s", s.asked.Load()-1, took)
	}
}

// TestPollEnds: nobody waits any more.
func TestPollEnds(t *testing.T) {
	for _, hold := range []bool{false, true} {
		s := newService(t, func(_ *service, w http.ResponseWriter, r *http.Request) {
			if hold {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return
			}
			w.Header().Set("Location", "/answers/1")
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(202)
		})
		ctx, end := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer end()
		begun := time.Now()
		a, err := s.front().Ask(ctx, question())
		if !errors.Is(err, context.DeadlineExceeded) || a != (approval.Answer{}) || time.Since(begun) > 30*time.Second {
			t.Errorf("hold %v: got %+v, %v after %s", hold, a, err, time.Since(begun))
		}
	}
}

func TestURLs(t *testing.T) {
	for text, want := range map[string]string{
		"https://ask.example.org/hook?token=t":   "",
		"http://127.0.0.1:8080/":                 "",
		"http://[::1]/":                          "",
		"http://localhost/":                      "",
		"http://ask.example.org/":                "not encrypted",
		"http://10.0.0.1/":                       "not encrypted",
		"http://localhost.example.org/":          "not encrypted",
		"https://":                               "names no host",
		"https://user:password@ask.example.org/": "the secret is given apart",
		"https://ask.example.org/#x":             "fragment",
		"ftp://ask.example.org/":                 "scheme",
		"ask.example.org":                        "no host",
		"https://ask.example.org:x/tok-1":        "cannot be read",
	} {
		f, err := webhook.New(webhook.Config{URL: text, Secret: newSecret(t, secret)})
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "tok-1") || f != nil && strings.Contains(f.Name(), "token") {
			t.Errorf("%s: the token is shown", text)
		}
	}
	if _, err := webhook.New(webhook.Config{URL: "https://ask.example.org"}); err == nil {
		t.Error("a front without a secret")
	}
}

// TestTLS: a certificate that nobody vouches for is refused.
func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { yes().write(t, w) }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	for _, trusted := range []bool{true, false} {
		cfg := webhook.Config{URL: s.URL, Secret: newSecret(t, secret), Now: func() time.Time { return now }, Nonce: func() string { return "nonce-1" },
			Roots: x509.NewCertPool()}
		if trusted {
			cfg.Roots = roots
		}
		f, err := webhook.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if a, err := ask(t, f, question()); (err == nil) != trusted {
			t.Errorf("trusted %v: got %+v, %v", trusted, a, err)
		}
	}
}

func TestSecret(t *testing.T) {
	s := newSecret(t, secret+"\n")
	text, err := json.Marshal(struct{ S webhook.Secret }{s})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{s.String(), fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s, s, s), string(text), s.LogValue().String()} {
		if strings.Contains(shown, secret[:6]) || strings.Contains(shown, "3031") || !strings.Contains(shown, "REDACTED") {
			t.Errorf("shown as %q", shown)
		}
	}
	if _, err := webhook.NewSecret("short"); err == nil || strings.Contains(err.Error(), "short\"") {
		t.Errorf("got %v", err)
	}
	if webhook.Sign(s, "answer", "1", "n", "b") != webhook.Sign(newSecret(t, secret), "answer", "1", "n", "b") {
		t.Error("the line break belongs to the secret")
	}
}

// TestGuide: the guide's example of a signature is right, its bodies are what the
// schema says, and its relay works.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile("../../../docs/guide/asking-by-webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	sig := webhook.Sign(newSecret(t, "an example of a secret"), "answer", "1795359845", "5e884898da28047151d0e56f8dc62927", `{"version":1}`)
	if !strings.Contains(guide, "`"+sig+"`") {
		t.Errorf("the signature is %s", sig)
	}
	bodies := blocks(guide, "json")
	valid(t, "question", []byte(bodies[0]))
	valid(t, "answer", []byte(bodies[1]))

	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("requires: python3")
	}
	file := filepath.Join(t.TempDir(), "relay.py")
	if err := os.WriteFile(file, []byte(blocks(guide, "python")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, file, "0")
	cmd.Env = append(os.Environ(), "AMBIT_ASK_SECRET="+secret)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("the relay says nothing")
	}
	base := "http://127.0.0.1:" + strings.TrimPrefix(lines.Text(), "listening on ")
	pressed := make(chan error, 1)
	go func() { // the chat: somebody presses the second button
		if !lines.Scan() {
			pressed <- errors.New("no message")
			return
		}
		_, buttons, _ := strings.Cut(lines.Text(), " [")
		var all []struct{ Value json.RawMessage }
		if err := json.Unmarshal([]byte("["+buttons), &all); err != nil {
			pressed <- fmt.Errorf("%s: %w", lines.Text(), err)
			return
		}
		r, err := http.Post(base+"/pressed", "application/json", bytes.NewReader(all[1].Value))
		if err == nil {
			err = r.Body.Close()
		}
		pressed <- err
	}()
	f, err := webhook.New(webhook.Config{URL: base + "/ask", Secret: newSecret(t, secret)})
	if err != nil {
		t.Fatal(err)
	}
	q := question()
	q.Asked, q.Expires = time.Now(), time.Now().Add(time.Minute)
	a, err := ask(t, f, q)
	if err != nil || a.Outcome != grant.Allow || a.Capability != q.Offers[0].Capability || a.Span != grant.Session {
		t.Errorf("got %+v, %v", a, err)
	}
	if err := <-pressed; err != nil {
		t.Error(err)
	}
}

// blocks are the texts of a document in a language.
func blocks(text, language string) (all []string) {
	for {
		_, rest, ok := strings.Cut(text, "```"+language+"\n")
		if !ok {
			return all
		}
		block, after, _ := strings.Cut(rest, "```")
		all, text = append(all, block), after
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(yes().body)
	f.Add(`{"version":1,"question":"d-7f3ak2mq5x","nonce":"nonce-1","outcome":"deny","for":"once"}`)
	f.Fuzz(func(t *testing.T, body string) {
		q := question()
		a, err := webhook.Decode([]byte(body), q, "nonce-1")
		if err != nil {
			if a != (approval.Answer{}) {
				t.Fatalf("%q: %+v and %v", body, a, err)
			}
			return
		}
		if a.Outcome == grant.Allow && a.Capability != q.Offers[0].Capability && a.Capability != q.Offers[1].Capability {
			t.Fatalf("%q allows %s", body, a.Capability)
		}
	})
}
