package script_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// arrived wants the value at the server, as often as that, and nothing of it in
// what the program printed or ambit wrote.
func (s *secretBench) arrived(r ran, times int) {
	s.t.Helper()
	if got := strings.Count(s.api.sent(), secretValue); got != times {
		s.t.Errorf("the server got the value %d times, want %d:\n%s\n%s%s", got, times, s.api.sent(), r.out, r.err)
	}
	s.nothingOf(r)
}

// nothingOf wants nothing of the value in an output, however it is written.
func (s *secretBench) nothingOf(r ran) {
	s.t.Helper()
	for _, text := range []string{secretValue, `tok\"en`, `tok%22en`, "tok&#34;en", "tok&quot;en", "dG9rImVu", "with<odd>", "signs+and"} {
		if strings.Contains(r.out+r.err, text) {
			s.t.Errorf("%q is in\n%s%s", text, r.out, r.err)
		}
	}
}

// TestSecretUsed: the value stands where the placeholder stood, toward the one
// destination, by either version of HTTP and however the body comes.
func TestSecretUsed(t *testing.T) {
	s := newSecretBench(t)
	for name, script := range map[string]string{
		"HTTP/2":   bearer + `"$1"`,
		"HTTP/1.1": bearer + `--http1.1 "$1"`,
		"a body":   bearer + `-d hello "$1"`,
		"chunked":  `head -c 200000 /dev/zero | ` + bearer + `--http1.1 -T - "$1"`,
		"python":   `python3 -c 'import os,sys,urllib.request as u; print(u.urlopen(u.Request(sys.argv[1], headers={"Authorization": "Bearer " + os.environ["TOKEN"]})).read())' "$1"`,
	} {
		t.Run(name, func(t *testing.T) {
			s := &secretBench{bench: s.bench, api: s.api}
			s.api.forget()
			r := s.shell("/plain", script)
			r.want(t, 0, "hello")
			s.arrived(r, 1)
		})
	}
	// Twice over one connection: decided and recorded each time.
	s.api.forget()
	s.arrived(s.shell("/plain", bearer+`"$1" "$1?second"`), 2)
	if r := s.run("audit", "ls", "--json", "-n", "0", "--kind", "decision"); strings.Count(r.out, `"why": "GET /plain"`) < 2 ||
		!strings.Contains(r.out, "secret.use:token@"+s.host()) {
		t.Errorf("the log has %s", r.out)
	}
	if r := s.run("audit", "export", "--json"); strings.Contains(r.out, "with<odd>") {
		t.Error("the log has the value")
	}
	s.run("audit", "verify").want(t, 0)
}

// TestSecretPlaces: each place that a secret can be bound to.
func TestSecretPlaces(t *testing.T) {
	for _, tc := range []struct {
		name   string
		flags  []string
		script string
		want   string
	}{
		{"header", []string{"--header", "X-Api-Key"}, `curl -sS -H "X-Api-Key: $TOKEN" "$1"`, "X-Api-Key: " + secretValue + "\r\n"},
		{"form", []string{"--form", "token {}", "--prefix", "ghp_"}, `case "$TOKEN" in ghp_*) ;; *) exit 1;; esac; curl -sS -H "Authorization: token $TOKEN" "$1"`, "Authorization: token " + secretValue + "\r\n"},
		{"basic", []string{"--basic", "me"}, `curl -sS -u "me:$TOKEN" "$1"`, "Authorization: Basic bWU6dG9rImVuJndpdGg8b2RkPi9zaWducythbmQ9bW9yZQ==\r\n"},
		{"query", []string{"--query", "key"}, `curl -sS "$1?a=b&key=$TOKEN&c"`, "GET /echo?a=b&key=tok%22en%26with%3Codd%3E%2Fsigns%2Band%3Dmore&c HTTP/2.0\n"},
		{"body", []string{"--body", "--env-name", "PASSWORD"}, `curl -sS --json "{\"password\":\"$PASSWORD\"}" "$1"`, "\n" + `{"password":"tok\"en&with<odd>/signs+and=more"}`},
		{"field", []string{"--field", "client_secret"}, `curl -sS -d "a=b&client_secret=$TOKEN" "$1"`, "\na=b&client_secret=tok%22en%26with%3Codd%3E%2Fsigns%2Band%3Dmore"},
		{"form body", []string{"--body"}, `curl -sS -d "password=$TOKEN" "$1"`, "\npassword=tok%22en%26with%3Codd%3E%2Fsigns%2Band%3Dmore"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSecretBench(t, tc.flags...)
			r := s.shell("/echo", tc.script)
			r.want(t, 0, "begin")
			if !strings.Contains(s.api.sent(), tc.want) {
				t.Errorf("the server got\n%s\nwant %q", s.api.sent(), tc.want)
			}
			s.nothingOf(r)
		})
	}
}

// TestSecretPlainLoopback: plain HTTP carries a secret to the host's own loopback,
// where it is bound so.
func TestSecretPlainLoopback(t *testing.T) {
	s := newSecretBench(t)
	s.api = startAPI(t, "", nil)
	s.set("token", "--for", "http://"+s.host())
	r := s.with("sh", "-c", bearer+`"$1"`, "sh", "http://"+s.host()+"/echo")
	r.want(t, 0, "begin "+strings.Repeat("*", len(secretValue)))
	s.arrived(r, 1)
	s.api.forget()
	s.set("token", "--for", s.host()) // by TLS, which this server does not speak
	r = s.with("sh", "-c", bearer+`"$1"`, "sh", "http://"+s.host()+"/echo")
	r.want(t, 0, "placeholder-misuse")
	s.arrived(r, 0)
}

// TestSecretRepeated: whatever the server repeats of the value arrives as
// asterisks.
func TestSecretRepeated(t *testing.T) {
	s := newSecretBench(t)
	for name, tc := range map[string]struct{ path, script, want string }{
		"HTTP/2":    {"/echo", bearer + `-i "$1"`, "end"},
		"HTTP/1.1":  {"/echo", bearer + `-i --http1.1 "$1"`, "end"},
		"by bytes":  {"/drip", bearer + `-N "$1"`, "end"},
		"gzip":      {"/gzip", bearer + `--compressed "$1"`, "begin"},
		"a trailer": {"/trailer", bearer + `-v --http1.1 --raw "$1" 2>&1`, "begin"},
		"early":     {"/early", bearer + `-v "$1" 2>&1 | grep -v '^> '`, "after"},
		"redirect":  {"/redirect?to=/plain", bearer + `-i "$1"`, "302"},
		"socket": {"/socket", `python3 -c 'import os,socket,ssl,sys,urllib.parse as p
u = p.urlsplit(sys.argv[1])
c = ssl.create_default_context().wrap_socket(socket.create_connection((u.hostname, u.port)), server_hostname=u.hostname)
c.sendall(("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer %s\r\n\r\n" % (u.path, u.netloc, os.environ["TOKEN"])).encode())
text = b""
while b" end\n" not in text:
    got = c.recv(4096)
    if not got: break
    text += got
c.sendall(b"hello again\n")
while b"again\n" not in text:
    got = c.recv(4096)
    if not got: break
    text += got
print(text.decode())' "$1"`, "again"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &secretBench{bench: s.bench, api: s.api}
			s.api.forget()
			r := s.shell(tc.path, tc.script)
			r.want(t, 0, tc.want)
			s.arrived(r, 1)
			if !strings.Contains(r.out, strings.Repeat("*", len(secretValue))) {
				t.Errorf("nothing was crossed out in\n%s", r.out)
			}
			// The control: a program that has the value itself hears it again.
			if r := s.bare(secretValue, tc.script, s.url(tc.path)); !strings.Contains(r.out, secretValue) {
				t.Errorf("without a placeholder it prints\n%s%s", r.out, r.err)
			}
		})
	}
}

// bare runs a script that is given a value itself, in the variable that otherwise
// has the placeholder.
func (s *secretBench) bare(value, script string, urls ...string) ran {
	s.t.Helper()
	argv := []string{"run", "--ask", "none", "--env", "TOKEN=" + value}
	for _, u := range urls {
		_, host, _ := strings.Cut(u, "://")
		host, _, _ = strings.Cut(host, "/")
		argv = append(argv, "--allow", "net.connect:"+host+"/http", "--allow", "net.stream:"+host+"/http")
	}
	return s.run(append(append(argv, "--", "sh", "-c", script, "sh"), urls...)...)
}

// TestSecretBroken: an answer that is not understood is not quoted.
func TestSecretBroken(t *testing.T) {
	s := newSecretBench(t)
	cfg := s.api.cfg.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	s.api = startAPI(t, s.api.roots, cfg)
	s.set("token", "--for", s.host())
	for _, path := range []string{"/broken", "/nonsense"} {
		s.api.forget()
		r := s.shell(path, bearer+`"$1"`)
		r.want(t, 0, "refused by Ambit")
		s.arrived(r, 1)
		if log := s.run("audit", "export", "--json"); strings.Contains(log.out, "odd") {
			t.Errorf("the log quotes it:\n%s", log.out)
		}
	}
	for _, path := range []string{"/broken", "/nonsense"} { // the control
		if r := s.bare(secretValue, bearer+`"$1"`, s.url(path)); !strings.Contains(r.out, "odd") {
			t.Errorf("without a placeholder it prints\n%s%s", r.out, r.err)
		}
	}
}

// TestSecretMisused: toward another destination, and in any other place, the
// placeholder refuses the request and no server sees anything of it.
func TestSecretMisused(t *testing.T) {
	s := newSecretBench(t)
	other := startAPI(t, "", s.api.cfg.Clone()) // its flows are opened: it has a rule
	plain := startAPI(t, "", nil)
	argv := []string{"run", "--ask", "none", "--allow", "net.connect:" + s.host(), "--allow", "net.connect:" + secretHost + ":" + other.port + "/http:GET,POST",
		"--allow", "net.connect:" + secretHost + ":" + plain.port + "/http:GET", "--allow", "secret.use:token@" + s.host(), "--"}
	urls := []string{s.url(""), "https://" + secretHost + ":" + other.port + "/echo", "http://" + secretHost + ":" + plain.port + "/echo"}
	for name, script := range map[string]string{
		"another destination":  bearer + `-w '%{http_code}' "$2"`,
		"plain HTTP":           bearer + `-w '%{http_code}' "$3"`,
		"redirect":             bearer + `-w '%{http_code}' -L --location-trusted "$1/redirect?to=$2"`,
		"path":                 bearer + `-w '%{http_code}' "$1/$TOKEN"`,
		"query":                bearer + `-w '%{http_code}' "$1?q=$TOKEN"`,
		"query alone":          `curl -sS -w '%{http_code}' "$1?q=$TOKEN"`,
		"another header":       `curl -sS -w '%{http_code}' -H "X-Copy: $TOKEN" "$1"`,
		"two headers":          bearer + `-w '%{http_code}' -H "X-Copy: $TOKEN" "$1"`,
		"the header twice":     bearer + `-w '%{http_code}' -H "Authorization: Bearer $TOKEN" "$1"`,
		"another form":         `curl -sS -w '%{http_code}' -H "Authorization: token $TOKEN" "$1"`,
		"basic authentication": `curl -sS -w '%{http_code}' -u "me:$TOKEN" "$1"`,
		"a cookie":             bearer + `-w '%{http_code}' -b "a=$TOKEN" "$1"`,
		"body":                 bearer + `-w '%{http_code}' -d "a=$TOKEN" "$1"`,
		"a chunked body":       `(head -c 100000 /dev/zero; echo "$TOKEN the end") | ` + bearer + `-w '%{http_code}' --http1.1 -T - "$1"`,
		"a body by HTTP/2":     `(head -c 100000 /dev/zero; echo "$TOKEN the end") | ` + bearer + `-w '%{http_code}' -T - "$1"`,
		"another Host":         bearer + `-w '%{http_code}' -H "Host: evil.example" "$1"`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, a := range []*api{s.api, other, plain} {
				a.forget()
			}
			r := s.run(append(append(argv, "sh", "-c", script, "sh"), urls...)...)
			if !strings.HasSuffix(r.out, "403") && !(name == "another Host" && strings.HasSuffix(r.out, "421")) {
				t.Errorf("answered %q %q", r.out, r.err)
			}
			if name != "another Host" && !strings.Contains(r.err, "the placeholder of the secret token stands in the ") {
				t.Errorf("the person is told %q", r.err)
			}
			began := 0
			switch name {
			case "redirect", "a chunked body", "a body by HTTP/2":
				began = 1 // as it should be; what came then was not
			}
			if got := strings.Count(s.api.sent(), secretValue); got > began || strings.Contains(other.sent()+plain.sent(), "HTTP/") || strings.Contains(s.api.sent(), "the end") {
				t.Errorf("the servers got\n%.2000q\n%s\n%s", s.api.sent(), other.sent(), plain.sent())
			}
			s.nothingOf(r)
			// The control: what is no placeholder arrives, there too.
			const own = "a-value-of-the-program-itself"
			if name == "another Host" { // which nobody lets pass who looks
				s.api.forget()
				r := s.run("run", "--ask", "none", "--env", "TOKEN="+own, "--allow", "net.connect:"+s.host(), "--", "sh", "-c", script+" -k", "sh", urls[0])
				if got := s.api.sent(); !strings.Contains(got, own) || !strings.Contains(got, "evil.example") {
					t.Errorf("passed through the server got %q: %q %q", got, r.out, r.err)
				}
				return
			}
			r = s.bare(own, script, urls...)
			basic := strings.Count(s.api.sent(), base64.StdEncoding.EncodeToString([]byte("me:"+own)))
			if got := strings.Count(s.api.sent()+other.sent()+plain.sent(), own) + basic; got <= began {
				t.Errorf("without a placeholder the servers got\n%.2000q\n%s\n%s\n%s%s", s.api.sent(), other.sent(), plain.sent(), r.out, r.err)
			}
		})
	}
	if r := s.run("audit", "ls", "-n", "0"); !strings.Contains(r.out, "placeholder-misuse") {
		t.Errorf("the log has no misuse:\n%s", r.out)
	}
}

// TestSecretElsewhereUnopened: toward a destination that nobody looks into, there
// is nothing but the placeholder to be had.
func TestSecretElsewhereUnopened(t *testing.T) {
	s := newSecretBench(t)
	other := startAPI(t, "", s.api.cfg.Clone())
	argv := s.allowed("sh", "-c", bearer+`-k "$1"; env`, "sh", "https://"+secretHost+":"+other.port+"/echo")
	r := s.run(append([]string{"run", "--allow", "net.connect:" + secretHost + ":" + other.port}, argv[1:]...)...)
	r.want(t, 0, "begin", "TOKEN=")
	if strings.Contains(other.sent(), secretValue) || !strings.Contains(other.sent(), "Bearer ") {
		t.Errorf("the other server got %s", other.sent())
	}
	s.nothingOf(r)
}
