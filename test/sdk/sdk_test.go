// Package sdk_test runs the clients in Go, Python and TypeScript against a real `ambit
// serve`, by its socket and by its port, and against hosts that do wrong.
package sdk_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"ambit.dev/ambit/internal/server/servertest"
	ambit "ambit.dev/ambit/sdk/go"
)

// program is the ambit that is tested.
var program string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	var done func()
	var err error
	if program, done, err = servertest.Binary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer done()
	return m.Run()
}

// patience is how long a busy machine may take for anything here.
const patience = 60 * time.Second

// A place is a host as the environment names it: nothing but that, so that no test
// speaks to another one.
type place struct {
	how string
	env []string
}

// newHost starts a host that listens, and says by what it is reached.
func newHost(t *testing.T) (h *servertest.Host, socket, port place) {
	t.Helper()
	h, err := servertest.Start(program, t.TempDir(), "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	address, fingerprint := "", ""
	for end := time.Now().Add(patience); address == ""; time.Sleep(10 * time.Millisecond) {
		if address, fingerprint = h.Port(); time.Now().After(end) {
			t.Fatalf("it does not say where it listens: %s", h.Said())
		}
	}
	token, err := h.Command("token", "add", "sdk", "--role", "admin").Output()
	if err != nil {
		t.Fatalf("make a token: %v", err)
	}
	file := filepath.Join(h.Dir, "token")
	if err := os.WriteFile(file, token, 0o600); err != nil {
		t.Fatal(err)
	}
	socket = place{"by the socket", []string{"AMBIT_STATE_DIR=" + h.State}}
	port = place{"by the port", []string{"AMBIT_HOST=https://" + address, "AMBIT_TOKEN_FILE=" + file, "AMBIT_FINGERPRINT=" + fingerprint}}
	return h, socket, port
}

// but is the place with some variables in place of others; "NAME=" takes one away.
func (p place) but(variables ...string) place {
	p.env = append(slices.Clone(p.env), variables...)
	return p
}

// A language runs scripts in one of the clients that are not Go's.
type language struct{ name, interpreter, folder, suffix string }

// languages are those whose interpreters are here.
func languages(t *testing.T) (all []language) {
	t.Helper()
	for _, l := range []language{{"typescript", "node", "../../sdk/typescript", ".mjs"}, {"python", "/usr/bin/python3", "../../sdk/python", ".py"}} {
		path, err := exec.LookPath(l.interpreter)
		if err != nil {
			t.Skipf("requires: %s", l.interpreter)
		}
		l.interpreter = path
		all = append(all, l)
	}
	return all
}

// command runs a script at a place, and ends it when it takes too long.
func (l language) command(t *testing.T, at place, script string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, l.interpreter, append([]string{script + l.suffix}, args...)...)
	client, err := filepath.Abs(l.folder)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "LANG=C.UTF-8", "PYTHONPATH=" + client, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}, at.env...)
	return cmd
}

// said is what a script writes, and what it says where it fails.
func (l language) said(t *testing.T, at place, script string, args ...string) string {
	t.Helper()
	cmd := l.command(t, at, script, args...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Run(); err != nil {
		return fmt.Sprintf("%s%v: %s", out.String(), err, bad.String())
	}
	return out.String()
}

// The three examples do in each language and by each way what they do in Go.
func TestExamples(t *testing.T) {
	t.Parallel()
	h, socket, port := newHost(t)
	for _, at := range []place{socket, port} {
		for _, l := range languages(t) {
			t.Run(l.name+" "+at.how, func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(h.Home, strings.ReplaceAll(l.name+at.how, " ", "-")+".txt")
				if err := os.WriteFile(file, []byte("all is well\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				for _, c := range []struct{ example, want string }{
					{"run", "4\nexit 3\n"},
					{"answer", "it asks for the file: true\nall is well\nexit 0\n"},
					{"revoke", "granted: VERDICT_ALLOW\n1 revoked, 0 sessions lost something\n"},
				} {
					got := l.said(t, at, filepath.Join(l.folder, "examples", c.example), file)
					if got = strings.ReplaceAll(got, "True", "true"); got != c.want {
						t.Errorf("%s: wrote %q, want %q", c.example, got, c.want)
					}
				}
			})
		}
	}
}

// A launch that is denied says by which decisions, with their reasons.
func TestDenied(t *testing.T) {
	t.Parallel()
	h, socket, port := newHost(t)
	for _, l := range languages(t) {
		for _, at := range []place{socket, port} {
			got := l.said(t, at.but("CAPABILITY=fs.read:"+h.State), "trouble", "denied")
			id, rest, _ := strings.Cut(strings.TrimPrefix(got, "denial "), " ")
			if !strings.HasPrefix(got, "denial d-") || !strings.Contains(rest, "fs.read:"+h.State) || !strings.HasSuffix(got, "code permission_denied\n") {
				t.Errorf("%s %s: %q", l.name, at.how, got)
			}
			if out, err := h.Command("why", id).CombinedOutput(); err != nil {
				t.Errorf("%s %s: ambit why %s: %v %s", l.name, at.how, id, err, out)
			}
		}
	}
}

// What a program would be allowed is said, and that is started or nothing, by each client.
func TestChecked(t *testing.T) {
	t.Parallel()
	h, socket, _ := newHost(t)
	denied := "fs.read:" + h.State
	const want = "starts true 1m true\nexit 0\nstarts false\ncode failed_precondition\n"
	for _, l := range languages(t) {
		got := l.said(t, socket.but("CAPABILITY="+denied), "trouble", "checked")
		got = strings.ReplaceAll(strings.ReplaceAll(got, "True", "true"), "False", "false")
		if got != want {
			t.Errorf("%s: %q, want %q", l.name, got, want)
		}
	}
	c, err := ambit.Dial(t.Context(), h.State)
	if err != nil {
		t.Fatal(err)
	}
	cmd := ambit.Command{Argv: []string{"echo", "looked at"}, Limits: map[string]string{"wall": "1m"}, Ask: true, AskBy: "notification"}
	seen, err := c.Check(t.Context(), cmd)
	if err != nil || !seen.GetStarts() || !seen.GetAsks() || seen.GetLimits()["wall"] != "1m" {
		t.Fatalf("go: %v %v", seen, err)
	}
	cmd.Checked = seen.GetDigest()
	if s, err := c.Start(t.Context(), cmd); err != nil {
		t.Errorf("go: %v", err)
	} else if exit, err := s.Wait(t.Context(), nil, nil); err != nil || exit != 0 {
		t.Errorf("go: it ends with %d: %v", exit, err)
	}
	if seen, err := c.Check(t.Context(), ambit.Command{Argv: []string{"true"}, Allow: []string{denied}}); err != nil || seen.GetStarts() {
		t.Errorf("go: what would be denied is %v %v", seen, err)
	}
	cmd.Argv = []string{"echo", "another"}
	if _, err := c.Start(t.Context(), cmd); connect.CodeOf(err) != connect.CodeFailedPrecondition {
		t.Errorf("go: another command: %v", err)
	}
}

// Somebody who is not known is not served, and a host that is not known gets nothing.
func TestUnknown(t *testing.T) {
	t.Parallel()
	h, socket, port := newHost(t)
	own := filepath.Join(h.State, "host", "tls.crt")
	bad := port.but("AMBIT_TOKEN_FILE=", "AMBIT_TOKEN=ambit_nobody")
	cases := []struct {
		what string
		at   place
		want string
	}{
		{"another token", bad, "code unauthenticated\n"},
		{"another fingerprint", port.but("AMBIT_FINGERPRINT=" + strings.Repeat("00", 32)), "code unavailable\n"},
		{"this machine's authorities", port.but("AMBIT_FINGERPRINT="), "code unavailable\n"},
		{"its own authority", port.but("AMBIT_FINGERPRINT=", "AMBIT_CA_FILE="+own), "code none\n"},
		{"a small fingerprint", port.but("AMBIT_FINGERPRINT=00"), "code invalid\n"},
		{"two ways to know it", port.but("AMBIT_CA_FILE=" + own), "code invalid\n"},
		{"no token", port.but("AMBIT_TOKEN_FILE="), "code invalid\n"},
		{"no TLS", port.but("AMBIT_HOST=http://127.0.0.1:1"), "code invalid\n"},
		{"nobody there", port.but("AMBIT_HOST=https://127.0.0.1:1"), "code unavailable\n"},
		{"no socket", socket.but("AMBIT_STATE_DIR=" + t.TempDir()), "code unavailable\n"},
	}
	places := make([]place, len(cases))
	for i, c := range cases {
		places[i] = c.at
	}
	for _, l := range languages(t) {
		for i, got := range l.each(t, "dial", places) {
			if c := cases[i]; got != c.want {
				t.Errorf("%s: %s: %q, want %q", l.name, c.what, got, c.want)
			}
		}
	}
}

// Of a host that is killed each stream ends with an error, and one that nobody wants any
// more without.
func TestKilled(t *testing.T) {
	t.Parallel()
	h, socket, port := newHost(t)
	type watcher struct {
		what string
		cmd  *exec.Cmd
		out  *lines
	}
	var all []watcher
	for _, l := range languages(t) {
		for _, at := range []place{socket, port} {
			if got := l.said(t, at, "trouble", "leave"); got != "seen\nleft\ncode none\n" {
				t.Errorf("%s %s: who leaves says %q", l.name, at.how, got)
			}
			w := watcher{l.name + " " + at.how, l.command(t, at, "trouble", "watch"), newLines()}
			w.cmd.Stdout, w.cmd.Stderr = w.out, w.out
			if err := w.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			all = append(all, w)
		}
	}
	for _, w := range all {
		w.out.wait(t, "seen\n") // the stream has begun
	}
	if err := h.End(9); err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if err := w.cmd.Wait(); err != nil {
			t.Errorf("%s: %v", w.what, err)
		}
		if got := w.out.String(); got != "seen\ncode unavailable\n" {
			t.Errorf("%s: of a host that is killed: %q", w.what, got)
		}
	}
	if err := h.Again(); err != nil { // for what is cleaned up
		t.Fatal(err)
	}
}
