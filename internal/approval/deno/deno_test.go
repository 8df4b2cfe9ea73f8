package deno_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/approval/deno"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// gate allows what it was told and notes what it was asked.
type gate struct {
	allow []string
	asked chan decision.Request
}

func (g *gate) check(_ context.Context, _ int, r decision.Request) decision.Decision {
	g.asked <- r
	for _, text := range g.allow {
		if c, err := capability.Parse(text); err == nil && c.Covers(r.Capability) {
			return decision.Decision{Request: r.ID, Outcome: decision.Allow}
		}
	}
	return decision.Decision{Request: r.ID, Reasons: []decision.Reason{{Rule: decision.NotGranted, Text: "nobody has allowed it"}}}
}

// door serves on a socket of its own.
func door(t *testing.T, cfg deno.Config) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "d") //nolint:usetesting // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	var n atomic.Int64
	cfg.NewID = func() string { return fmt.Sprintf("d-%d", n.Add(1)) }
	if cfg.Find == nil {
		cfg.Find = find
	}
	if cfg.Look == nil {
		cfg.Look = look
	}
	go func() { done <- deno.New(cfg).Serve(ctx, l) }()
	t.Cleanup(func() {
		end()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return path
}

func find(pid int, _ capability.Kind, path string) (string, error) {
	if pid != os.Getpid() {
		return "", fmt.Errorf("process %d is not who connected", pid)
	}
	if strings.Contains(path, "absent") {
		return "", &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	if strings.Contains(path, "trouble") {
		return "", errors.New("trouble")
	}
	if !filepath.IsAbs(path) {
		path = "/work/" + path
	}
	return filepath.Clean(path), nil
}

func look(_ int, command string) (string, error) {
	if command == "git" {
		return "/usr/bin/git", nil
	}
	return "", fs.ErrNotExist
}

// client is a process of Deno.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func connect(t *testing.T, path string) *client {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

type reply struct {
	ID     uint32
	Result string
	Reason string
}

// patience is how long a busy machine may take for anything here.
const patience = time.Minute

// say sends a line and returns the reply; ok is false if the door ended the
// connection. One that says nothing and does not end it either fails the test.
func (c *client) say(line string) (r reply, ok bool) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(line + "\n")); err != nil {
		return r, false
	}
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	text, err := c.in.ReadBytes('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("%.60q: neither a reply nor the end", line)
	}
	if err != nil {
		return r, false
	}
	if err := json.Unmarshal(text, &r); err != nil {
		c.t.Fatalf("reply %q: %v", text, err)
	}
	return r, true
}

func (c *client) request(id int, permission string, value any) (reply, bool) {
	c.t.Helper()
	text, err := json.Marshal(struct {
		V          int    `json:"v"`
		PID        int    `json:"pid"`
		ID         int    `json:"id"`
		Datetime   string `json:"datetime"`
		Permission string `json:"permission"`
		Value      any    `json:"value"`
	}{1, 10234, id, "2025-01-01T00:00:00.000Z", permission, value})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.say(string(text))
}

func TestTranslation(t *testing.T) {
	g := &gate{asked: make(chan decision.Request, 1), allow: []string{
		"fs.read:/work", "fs.write:/work/out", "net.connect:example.com:443", "net.listen:8000", "process.spawn:/usr/bin/git",
	}}
	c := connect(t, door(t, deno.Config{Check: g.check, Subject: decision.Subject{Session: "s-1"}}))
	for i, tc := range []struct {
		permission string
		value      any
		want       string // the capability that is asked for; "" if none is
		allow      bool
	}{
		{"read", "/work/a.txt", "fs.read:/work/a.txt", true},
		{"read", "./a.txt", "fs.read:/work/a.txt", true},
		{"read", "../etc/shadow", "fs.read:/etc/shadow", false},
		{"read", "/work/*.txt", `fs.read:/work/\*.txt`, true},
		{"read", "/work/absent", "", true},
		{"read", "/work/trouble", "", false},
		{"read", "/", "", false},
		{"read", "/work/\ufffd", "", false},
		{"read", "/work/\x00", "", false},
		{"read", "", "", false},
		{"read", nil, "", true},
		{"read", "<CWD>", "", true},
		{"write", "out/x", "fs.write:/work/out/x", true},
		{"write", "/work/a.txt", "fs.write:/work/a.txt", false},
		{"write", nil, "", true},
		{"net", "example.com:443", "net.connect:example.com:443", true},
		{"net", "example.com", "net.connect:example.com", false},
		{"net", "[::1]:80", "net.connect:[::1]:80", false},
		{"net", "0.0.0.0:8000", "net.listen:8000", true},
		{"net", "[::]:8001", "net.listen:8001", false},
		{"net", "127.0.0.1:0", "", true},
		{"net", "unix:/work/d.sock", "fs.read:/work/d.sock", true},
		{"net", "unix:/run/docker.sock", "fs.read:/run/docker.sock", false},
		{"net", "vsock:2:80", "", false},
		{"net", "*.example.com:443", "", false},
		{"net", "*", "", false},
		{"net", "10.0.0.0/8", "", false},
		{"net", "example.com:443/udp", "", false},
		{"net", nil, "", false},
		{"import", "example.com:443", "net.connect:example.com:443", true},
		{"import", nil, "", false},
		{"run", "git", "process.spawn:/usr/bin/git", true},
		{"run", "./tool", "process.spawn:/work/tool", false},
		{"run", "nothing", "", true},
		{"run", nil, "", true},
		{"ffi", "/work/lib.so", "fs.read:/work/lib.so", true},
		{"ffi", nil, "", false},
		{"env", "HOME", "", true},
		{"env", nil, "", true},
		{"sys", "hostname", "", true},
		{"sys", "selfDestruct", "", false},
		{"hrtime", nil, "", false},
		{"", "", "", false},
	} {
		r, ok := c.request(i, tc.permission, tc.value)
		if !ok {
			t.Fatalf("%s %v: the connection ended", tc.permission, tc.value)
		}
		if r.ID != uint32(i) || (r.Result == "allow") != tc.allow || r.Result != "allow" && r.Result != "deny" {
			t.Errorf("%s %v: got %+v, want allow %v", tc.permission, tc.value, r, tc.allow)
		}
		if (r.Reason == "") != tc.allow {
			t.Errorf("%s %v: reason %q", tc.permission, tc.value, r.Reason)
		}
		asked := ""
		select {
		case q := <-g.asked:
			asked = q.Capability.String()
			if q.Subject.Session != "s-1" || q.Subject.Program != "deno" || !q.CanAsk || q.ID == "" {
				t.Errorf("%s %v: request %+v", tc.permission, tc.value, q)
			}
		default:
		}
		if asked != tc.want {
			t.Errorf("%s %v: asked for %q, want %q", tc.permission, tc.value, asked, tc.want)
		}
	}
}

func TestUnknownVersionIsDenied(t *testing.T) {
	c := connect(t, door(t, deno.Config{Check: (&gate{allow: []string{"fs.read:/work"}}).check}))
	r, ok := c.say(`{"v":2,"id":7,"permission":"read","value":"/work/a"}`)
	if !ok || r.Result != "deny" || r.ID != 7 {
		t.Errorf("got %+v, %v", r, ok)
	}
}

// What is no request ends the connection: Deno then ends too.
func TestNotTheProtocol(t *testing.T) {
	path := door(t, deno.Config{Check: func(context.Context, int, decision.Request) decision.Decision {
		return decision.Decision{Outcome: decision.Allow}
	}})
	for _, line := range []string{
		"", "{", "null", "[]", `"read"`, `{}`, `{"v":1,"id":1}`, `{"v":1,"permission":"read"}`, `{"id":1,"permission":"read"}`,
		`{"v":1,"id":-1,"permission":"read"}`, `{"v":1,"id":1.5,"permission":"read"}`, `{"v":1,"id":"1","permission":"read"}`,
		`{"v":1,"id":4294967296,"permission":"read"}`, `{"v":1,"id":1,"permission":"read","value":5}`,
		`{"v":1,"id":1,"permission":"read","value":"/a"}{}`,
		`{"v":1,"id":1,"permission":"read","value":"` + strings.Repeat("a", 70_000) + `"}`,
	} {
		if r, ok := connect(t, path).say(line); ok {
			t.Errorf("%.60q: got %+v, want the end", line, r)
		}
	}
}

// TestGone: the program ends while a person is asked.
func TestGone(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	path := door(t, deno.Config{Check: func(ctx context.Context, _ int, _ decision.Request) decision.Decision {
		close(asked)
		<-ctx.Done()
		close(ended)
		return decision.Decision{Outcome: decision.Allow}
	}})
	c := connect(t, path)
	if _, err := c.conn.Write([]byte(`{"v":1,"id":1,"permission":"read","value":"/work/a"}` + "\n")); err != nil {
		t.Fatal(err)
	}
	<-asked
	c.conn.Close()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the question goes on")
	}
}

// TestImpatient: a second request before the first answer is against the
// protocol; no answer may then be taken for that of the other.
func TestImpatient(t *testing.T) {
	path := door(t, deno.Config{Check: func(ctx context.Context, _ int, _ decision.Request) decision.Decision {
		<-ctx.Done()
		return decision.Decision{Outcome: decision.Allow}
	}})
	c := connect(t, path)
	line := `{"v":1,"id":1,"permission":"read","value":"/work/a"}`
	if r, ok := c.say(line + "\n" + line); ok {
		t.Errorf("got %+v, want the end", r)
	}
}

func TestReasonIsPrintable(t *testing.T) {
	c := connect(t, door(t, deno.Config{Check: func(_ context.Context, _ int, r decision.Request) decision.Decision {
		return decision.Decision{Request: r.ID, Reasons: []decision.Reason{{Text: "no\x1b[2J"}}}
	}}))
	r, ok := c.request(1, "read", "/work/\x1b]0;x\a\u202e")
	if !ok || r.Result != "deny" || strings.ContainsAny(r.Reason, "\x1b\a\u202e") {
		t.Errorf("got %+v, %v", r, ok)
	}
	if want := `ambit: denied fs.read:/work/\x1b]0;x\x07\xe2\x80\xae (no\x1b[2J) [d-1]`; r.Reason != want {
		t.Errorf("got %q, want %q", r.Reason, want)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(`{"v":1,"pid":1,"id":1,"datetime":"2025-01-01T00:00:00.000Z","permission":"read","value":"/work/a"}`)
	f.Add(`{"v":1,"id":2,"permission":"net","value":"[::1]:80"}`)
	f.Add(`{"v":1,"id":3,"permission":"env","value":null}`)
	f.Fuzz(func(t *testing.T, line string) {
		var asked []decision.Request
		reply, err := deno.Answer(deno.Config{
			Find: func(_ int, _ capability.Kind, path string) (string, error) { return filepath.Join("/work", path), nil }, Look: look,
			NewID: func() string { return "d-1" },
			Check: func(_ context.Context, _ int, r decision.Request) decision.Decision {
				asked = append(asked, r)
				return decision.Decision{}
			},
		}, []byte(line))
		if err != nil {
			if reply != "" {
				t.Fatalf("error %v and reply %q", err, reply)
			}
			return
		}
		var out struct {
			ID     *uint32
			Result string
		}
		if json.Unmarshal([]byte(reply), &out) != nil || out.ID == nil || strings.Count(reply, "\n") != 1 {
			t.Fatalf("reply %q", reply)
		}
		if len(asked) > 1 || len(asked) == 1 && (out.Result == "allow" || !asked[0].Capability.Resolved()) {
			t.Fatalf("asked %v, replied %q", asked, reply)
		}
	})
}
