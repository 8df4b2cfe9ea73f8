package script_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const awsID = "AKIAIOSFODNN7EXAMPLE"

// A verifier is a server that answers whether a request is signed with the secret
// of the tests.
type verifier struct {
	mu   sync.Mutex
	seen []string // heads and bodies; guarded by mu
}

// startVerifier has one take the place of a bench's server.
func startVerifier(t *testing.T, s *secretBench) *verifier {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &verifier{}
	server := &http.Server{Handler: v, ReadHeaderTimeout: time.Minute, TLSConfig: s.api.cfg.Clone(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	go server.ServeTLS(l, "", "") //nolint:errcheck // it ends with the test
	t.Cleanup(func() { _ = server.Close() })
	s.api = &api{port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port), cfg: s.api.cfg, roots: s.api.roots}
	return v
}

func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.seen = append(v.seen, fmt.Sprintf("%s %s %v %s", r.Method, r.RequestURI, r.Header, body))
	v.mu.Unlock()
	if r.Header.Get("X-Hub-Signature-256") == "sha256="+hex.EncodeToString(hmacOf(secretValue, string(body))) {
		fmt.Fprint(w, "signed by the secret")
		return
	}
	if why := verifyAWS(r, body); why != "" {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, why)
		return
	}
	if strings.Contains(r.Header.Get("Authorization"), "/lambda/") {
		fmt.Fprint(w, `{}`)
		return
	}
	fmt.Fprint(w, `<R><GetCallerIdentityResult><Account>signed by the secret</Account></GetCallerIdentityResult></R>`)
}

func hmacOf(key, text string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(text)) // it never fails
	return h.Sum(nil)
}

func sha(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// verifyAWS says what is wrong with a signature. It is written from the
// description, and shares nothing with what signs.
func verifyAWS(r *http.Request, body []byte) string {
	var credential, headers, signature string
	auth := strings.ReplaceAll(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256"), " ", "")
	for part := range strings.SplitSeq(auth, ",") {
		name, text, _ := strings.Cut(part, "=")
		switch name {
		case "Credential":
			credential = text
		case "SignedHeaders":
			headers = text
		case "Signature":
			signature = text
		}
	}
	id, scope, _ := strings.Cut(credential, "/")
	if id != awsID {
		return "no such key: " + auth
	}
	var canonical strings.Builder
	path := r.URL.EscapedPath()
	if !strings.Contains(scope, "/s3/") {
		path = strings.ReplaceAll(strings.ReplaceAll(url.PathEscape(path), "%2F", "/"), ":", "%3A")
	}
	var query []string
	for name, values := range r.URL.Query() {
		for _, value := range values {
			query = append(query, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(value), "+", "%20"))
		}
	}
	slices.Sort(query)
	fmt.Fprintf(&canonical, "%s\n%s\n%s\n", r.Method, path, strings.Join(query, "&"))
	for name := range strings.SplitSeq(headers, ";") {
		value := strings.Join(r.Header.Values(name), ",")
		if name == "host" {
			value = r.Host
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.Join(strings.Fields(value), " "))
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case payload == "":
		payload = sha(body)
	case len(payload) == 64 && payload != sha(body):
		return "the body is another one"
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", headers, payload)
	key := []byte("AWS4" + secretValue)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacOf(string(key), part)
	}
	text := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + sha([]byte(canonical.String()))
	if want := hex.EncodeToString(hmacOf(string(key), text)); want != signature {
		return "the signature is of another key or request:\n" + canonical.String()
	}
	return ""
}

// sees fails where the server got anything of the secret, or the program did.
func (v *verifier) sees(t *testing.T, s *secretBench, r ran) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	if strings.Contains(strings.Join(v.seen, "\n"), secretValue) {
		t.Error("the secret went to the server")
	}
	s.nothingOf(r)
}

// TestSecretSignsAWS: real clients sign with a placeholder, and the server finds
// the secret's signature; with a grant of the host alone it finds none.
func TestSecretSignsAWS(t *testing.T) {
	s := newSecretBench(t, "--as", "aws-sigv4:"+awsID)
	v := startVerifier(t, s)
	s.set("token", "--for", s.host(), "--as", "aws-sigv4:"+awsID)
	const curl = `curl -sS -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" --aws-sigv4 aws:amz:eu-central-1:`
	for name, script := range map[string]string{
		"GET":      curl + `s3 "$1"`,
		"POST":     curl + `sts -d Action=GetCallerIdentity "$1"`,
		"HTTP/1.1": curl + `s3 --http1.1 "$1"`,
	} {
		r := s.shell("/", script)
		if !strings.Contains(r.out, "signed by the secret") || r.status != 0 {
			t.Errorf("%s: %d, %q %q", name, r.status, r.out, r.err)
		}
		v.sees(t, s, r)
	}
	// The controls: what the program signs itself, passed through as it is; and what
	// it changes after it has signed.
	if r := s.run("run", "--ask", "none", "--env", "AWS_SECRET_ACCESS_KEY=anything", "--env", "AWS_ACCESS_KEY_ID="+awsID, "--allow", "net.connect:"+s.host()+"/http", "--", "sh", "-c", curl+`s3 "$1"`, "sh", s.url("/")); !strings.Contains(r.out, "of another key") {
		t.Errorf("without the secret: %q %q", r.out, r.err)
	}
	if r := s.shell("/", curl+`s3 --header "X-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" "$1"`); !strings.Contains(r.out, "cannot be signed") {
		t.Errorf("what cannot be signed: %q %q", r.out, r.err)
	}
	if r := s.shell("/", `curl -sS -H "Authorization: AWS4-HMAC-SHA256 Credential=$AWS_ACCESS_KEY_ID/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=$(printf %064d 0)" "$1"`); !strings.Contains(r.out, "placeholder-misuse") {
		t.Errorf("a signature that nobody made: %q %q", r.out, r.err)
	}
}

// visits is a program that uses services of AWS.
const visits = `
import sys, botocore.session
from botocore.config import Config
at = sys.argv[1]
s = botocore.session.get_session()
def client(name, **more):
    return s.create_client(name, region_name="eu-central-1", endpoint_url=at, config=Config(retries={"max_attempts": 0}, **more))
c = client("s3", s3={"addressing_style": "path"})
c.put_object(Bucket="bucket", Key="a dir/with odd+signs~(1)", Body=b"x" * 100000)
c.get_object(Bucket="bucket", Key="a dir/with odd+signs~(1)", Range="bytes=0-9")
c.list_objects_v2(Bucket="bucket", Prefix="a dir/é", MaxKeys=2)
u = client("s3", s3={"addressing_style": "path", "payload_signing_enabled": False})
u.put_object(Bucket="bucket", Key="unsigned", Body=b"y" * 10)
client("sts").get_caller_identity()
client("lambda").list_tags(Resource="arn:aws:lambda:eu-central-1:123456789012:function:f")
print("all of it")
`

// TestSecretSignsBotocore: the client that AWS's command line and boto3 are made of.
func TestSecretSignsBotocore(t *testing.T) {
	needPython(t)
	out, err := exec.CommandContext(t.Context(), "python3", "-c", "import botocore, os, sys; print(os.path.dirname(os.path.dirname(botocore.__file__)))").Output()
	if err != nil {
		t.Skip("requires: botocore")
	}
	dir := strings.TrimSpace(string(out))
	s := newSecretBench(t, "--as", "aws-sigv4:"+awsID)
	v := startVerifier(t, s)
	s.set("token", "--for", s.host(), "--as", "aws-sigv4:"+awsID)
	args := s.allowed("/usr/bin/python3", "-c", visits, s.url(""))
	r := s.run(append([]string{"run", "--allow", "fs.read:" + dir, "--env", "PYTHONPATH=" + dir}, args[1:]...)...)
	v.mu.Lock()
	seen := len(v.seen)
	v.mu.Unlock()
	if !strings.Contains(r.out, "all of it") || r.status != 0 || seen != 6 {
		t.Errorf("%d, %d requests, %q %s", r.status, seen, r.out, r.err)
	}
	v.sees(t, s, r)
}

// TestSecretSignsHMAC: a body that is signed with the placeholder arrives signed
// with the secret.
func TestSecretSignsHMAC(t *testing.T) {
	s := newSecretBench(t, "--as", "hmac-sha256:X-Hub-Signature-256", "--form", "sha256={}")
	v := startVerifier(t, s)
	s.set("token", "--for", s.host(), "--as", "hmac-sha256:X-Hub-Signature-256", "--form", "sha256={}")
	const script = `curl -sS --json '{"a":1}' -H "X-Hub-Signature-256: sha256=$(printf %s "$2" | openssl dgst -sha256 -hmac "$TOKEN" -r | cut -d' ' -f1)" "$1"`
	post := func(signed string) ran { return s.with("sh", "-c", script, "sh", s.url("/hook"), signed) }
	r := post(`{"a":1}`)
	if r.out != "signed by the secret" {
		t.Errorf("%q %q", r.out, r.err)
	}
	v.sees(t, s, r)
	if r := post(`{"a":2}`); !strings.Contains(r.out, "placeholder-misuse") {
		t.Errorf("of another body: %q %q", r.out, r.err)
	}
	if n := bytes.Count([]byte(strings.Join(v.seen, "\n")), []byte("POST")); n != 1 {
		t.Errorf("the server got %d requests", n)
	}
}
