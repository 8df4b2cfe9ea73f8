package serve_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/server/port"
	"ambit.dev/ambit/internal/server/servertest"
)

// listening starts a host with a port.
func listening(t *testing.T, args ...string) (h *servertest.Host, address string) {
	t.Helper()
	h, err := servertest.Start(binary, t.TempDir(), args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	until(t, "the host does not say where it listens", func() bool {
		address, _ = h.Port()
		return address != ""
	})
	return h, address
}

// token makes a token.
func token(t *testing.T, h *servertest.Host, name, role string) string {
	t.Helper()
	out, err := h.Command("token", "add", name, "--role", role).Output()
	if err != nil {
		t.Fatalf("make a token: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// A bearer sends a token with each request, to a host whose certificate it trusts.
type bearer struct {
	token string
	next  *http.Transport
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

func holder(t *testing.T, h *servertest.Host, token string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.State, "host", "tls.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate")
	}
	next := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}
	t.Cleanup(next.CloseIdleConnections)
	return &http.Client{Transport: bearer{token, next}}
}

// A token that is taken back ends the stream that it has; another one's goes on.
func TestRevokedStream(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := func(name string) (over chan error) {
		c := ambitv1connect.NewQuestionServiceClient(holder(t, h, token(t, h, name, "viewer")), "https://"+address)
		s, err := c.WatchQuestions(ctx, connect.NewRequest(&pb.WatchQuestionsRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Receive() || !s.Msg().GetCaughtUp() {
			t.Fatalf("the stream of %s says %v, %v", name, s.Msg(), s.Err())
		}
		over = make(chan error, 1)
		go func() {
			for s.Receive() { // until it is over
			}
			over <- s.Err()
		}()
		return over
	}
	lost, kept := watch("lost"), watch("kept")
	if out, err := h.Command("token", "rm", "lost").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	select {
	case err := <-lost:
		wantCode(t, "a stream whose token was taken back", err, connect.CodeUnauthenticated)
	case <-time.After(patience):
		t.Fatal("a stream goes on without its token")
	}
	select {
	case err := <-kept:
		t.Errorf("the stream of another token ends: %v", err)
	default:
	}
	cancel()
	wantCode(t, "a stream whose caller leaves", <-kept, connect.CodeCanceled)
	out, err := h.Command("audit", "ls").Output()
	if err != nil || !strings.Contains(string(out), "the token lost is taken back") {
		t.Errorf("the log says %v\n%s", err, out)
	}
}

// What a token changes is in the log by its name, before it is so.
func TestChangedByToken(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	c := holder(t, h, token(t, h, "ci", "admin"))
	grants := ambitv1connect.NewGrantServiceClient(c, "https://"+address)
	added, err := grants.AddGrants(t.Context(), connect.NewRequest(&pb.AddGrantsRequest{Capabilities: []string{"fs.read:" + h.Home + "/x"}, Verdict: pb.Verdict_VERDICT_ALLOW}))
	if err != nil {
		t.Fatal(err)
	}
	id := added.Msg.GetGrants()[0].GetId()
	if _, err := grants.RevokeGrants(t.Context(), connect.NewRequest(&pb.RevokeGrantsRequest{Ids: []string{id}})); err != nil {
		t.Fatal(err)
	}
	sessions := ambitv1connect.NewSessionServiceClient(c, "https://"+address)
	made, err := sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}}))
	if err != nil {
		t.Fatal(err)
	}
	out, err := h.Command("audit", "ls", "--kind", "api.call").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"by token ci, admin: GrantService/AddGrants fs.read:" + h.Home + "/x", "by token ci, admin: GrantService/RevokeGrants " + id,
		made.Msg.GetSession().GetId() + "  by token ci, admin: SessionService/CreateSession true"} {
		if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("the log does not say %q:\n%s", want, out)
		}
	}
}

// reach is a program that sends a request without a token to an address by TLS, or
// says why it could not.
const reach = `
import http.client, ssl, sys
print("ready", flush=True)
sys.stdin.readline()
for address in sys.argv[1:]:
    host, port = address.rsplit(":", 1)
    c = http.client.HTTPSConnection(host, int(port), timeout=60, context=ssl._create_unverified_context())
    try:
        c.request("GET", "/me", headers={"Host": "127.0.0.1:" + port})
        print("answer", c.getresponse().status, flush=True)
    except OSError as e:
        print("no answer", type(e).__name__, flush=True)
`

// A sandboxed program does not get to the port, by no address that this machine has,
// whatever it may connect to by a wide grant. Outside the same program is answered, and
// inside it is where the port was granted by its name, without being served.
func TestPortFromInside(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "0.0.0.0:0")
	_, number, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	targets := []string{"127.0.0.1:" + number, "127.0.0.2:" + number, "0.0.0.0:" + number, "localhost:" + number}
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			targets = append(targets, net.JoinHostPort(ip.IP.String(), number))
		}
	}
	outside := exec.Command("/usr/bin/python3", append([]string{"-c", reach}, targets...)...)
	for i, got := range begin(t, outside).answers(t, len(targets)) {
		if got != "answer 401" {
			t.Errorf("outside %s: %q", targets[i], got)
		}
	}
	run := func(allow string, targets ...string) []string {
		cmd := h.Command(append([]string{"run", "--allow", allow, "--", "/usr/bin/python3", "-c", reach}, targets...)...)
		return begin(t, cmd).answers(t, len(targets))
	}
	for i, got := range run("net.connect:*:"+number, targets...) {
		if !strings.HasPrefix(got, "no answer") {
			t.Errorf("inside %s: %q", targets[i], got)
		}
	}
	const own = "host.ambit.internal:"
	if got := run("net.connect:"+own+number, own+number); got[0] != "answer 401" {
		t.Errorf("inside, where it was granted: %q", got)
	}
}

// A sandboxed program cannot read what tells who is known, nor the key of the port,
// where all that lies around it was granted.
func TestTokensHidden(t *testing.T) {
	t.Parallel()
	h, _ := listening(t, "--listen", "127.0.0.1:0")
	text := token(t, h, "ci", "admin")
	beside := filepath.Join(h.Dir, "beside")
	if err := os.WriteFile(beside, []byte("beside"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := []string{filepath.Join(h.State, "tokens.json"), filepath.Join(h.State, "host", "tls.key")}
	for _, f := range files {
		if got, err := os.ReadFile(f); err != nil || len(got) == 0 || strings.Contains(string(got), text) {
			t.Errorf("outside %s has %q %v", f, got, err)
		}
	}
	for f, want := range map[string]string{beside: "beside", files[0]: "", files[1]: ""} {
		got, err := h.Command("run", "--allow", "fs.read:"+h.Dir, "--", "/bin/cat", f).Output()
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("inside %s has %q %v", f, got, err)
		}
	}
}

// The port speaks TLS 1.3 alone, shows the certificate whose fingerprint it named, and
// another one when it is told to read it again.
func TestPortCertificate(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir(), t.TempDir()}
	for _, dir := range dirs {
		if _, err := port.OwnCertificate(dir, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	cert, key := filepath.Join(dirs[0], "tls.crt"), filepath.Join(dirs[0], "tls.key")
	h, address := listening(t, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key)
	_, named := h.Port()
	shown := func() string {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].Raw)
		return strings.ToUpper(hex.EncodeToString(sum[:]))
	}
	first := shown()
	if strings.ReplaceAll(named, ":", "") != first {
		t.Errorf("it named %s and shows %s", named, first)
	}
	// This is to be refused.
	if c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("it speaks TLS 1.2")
		c.Close()
	}
	for _, name := range []string{"tls.key", "tls.crt"} {
		if err := os.Rename(filepath.Join(dirs[1], name), filepath.Join(dirs[0], name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Kill(h.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "the certificate is not read again", func() bool { return shown() != first })
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	second := shown()
	if err := syscall.Kill(h.PID(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until(t, "nothing is said of a key that cannot be read", func() bool { return strings.Contains(h.Said(), "was not read again") })
	if shown() != second {
		t.Error("it shows another one than it could read")
	}
}

// Where no token was made nobody is known, and the socket is served as ever; flags that
// make no sense are refused.
func TestPortArguments(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	_, err := ambitv1connect.NewHostServiceClient(holder(t, h, "x"), "https://"+address).GetVersion(t.Context(), connect.NewRequest(&pb.GetVersionRequest{}))
	wantCode(t, "somebody without a token", err, connect.CodeUnauthenticated)
	if _, err := newClient(t, h).host.GetVersion(t.Context(), connect.NewRequest(&pb.GetVersionRequest{})); err != nil {
		t.Errorf("on the socket: %v", err)
	}
	for _, args := range [][]string{{"--host", "x"}, {"--tls-cert", "x"}, {"--listen", "127.0.0.1:0", "--tls-cert", "x"}, {"--listen", "nowhere"}, {"--listen", "192.0.2.1:1"}} {
		cmd := h.Command(append([]string{"serve"}, args...)...)
		cmd.Env = append(cmd.Env, "AMBIT_STATE_DIR="+t.TempDir())
		if out, err := cmd.CombinedOutput(); errors.Is(err, exec.ErrNotFound) || err == nil || len(out) == 0 {
			t.Errorf("%q: %v %s", args, err, out)
		}
	}
}
