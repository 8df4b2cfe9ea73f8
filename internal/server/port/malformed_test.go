package port_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/server"
	"ambit.dev/ambit/internal/server/port"
)

// A sheet is where an answer goes, with the deadlines that connections have.
type sheet struct{ *httptest.ResponseRecorder }

func (sheet) SetReadDeadline(time.Time) error  { return nil }
func (sheet) SetWriteDeadline(time.Time) error { return nil }

// A mess is a request that may make no sense in any of its parts.
type mess struct {
	method, path, contentType, name, value, body string
}

// answered sends a mess, and says what was answered. A caller that has left gets no
// stream.
func (s *site) answered(t testing.TB, m mess, header ...string) (int, string) {
	t.Helper()
	s.clock.add(time.Second) // bounds are looked at elsewhere
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r, err := http.NewRequestWithContext(ctx, m.method, "https://"+s.host, strings.NewReader(m.body))
	if err != nil {
		return http.StatusBadRequest, "" // no client can send it
	}
	r.URL.Path, r.Host, r.RemoteAddr = m.path, s.host, "127.0.0.1:1"
	r.Header["Content-Type"] = []string{m.contentType}
	r.Header[http.CanonicalHeaderKey(m.name)] = []string{m.value}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := sheet{httptest.NewRecorder()}
	s.port.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// check sends a mess as nobody, as a page elsewhere with the cookie, and as who may do
// anything: the first two get nothing, and nothing breaks of the third.
func (s *site) check(t testing.TB, m mess, cookie string) {
	t.Helper()
	if strings.EqualFold(m.name, "Authorization") || strings.EqualFold(m.name, "Cookie") {
		m.name = "X-Other"
	}
	for who, header := range map[string][]string{"nobody": nil, "a page elsewhere": {"Cookie", port.CookieName + "=" + cookie, "Origin", "https://evil.example"}} {
		code, text := s.answered(t, m, header...)
		switch code {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMisdirectedRequest, http.StatusBadRequest,
			http.StatusUnsupportedMediaType:
		case http.StatusOK: // by gRPC and in streams of Connect a refusal is said so
			if text != "" && !strings.Contains(text, "unauthenticated") && !strings.Contains(text, "permission_denied") && !strings.Contains(text, "grpc-status: ") {
				t.Errorf("%s gets %q of %+v", who, text, m)
			}
		default:
			t.Errorf("%s is answered %d %q of %+v", who, code, text, m)
		}
	}
	code, text := s.answered(t, m, bearer(s.tokens[server.Admin])...)
	if code == http.StatusInternalServerError && !strings.Contains(text, "unimplemented") || strings.Contains(text, "panic") || strings.Contains(text, "internal error") {
		t.Errorf("%+v is answered %d %q", m, code, text)
	}
}

var (
	methods = []string{"POST", "POST", "POST", "POST", "GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "post", "X"}
	types   = []string{"application/json", "application/json", "application/proto", "application/connect+json", "application/connect+proto", "application/grpc",
		"application/grpc-web+proto", "application/grpc-web-text", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", ";", "application/json; charset=utf-7"}
	names = []string{"Connect-Protocol-Version", "Connect-Timeout-Ms", "Grpc-Timeout", "Content-Encoding", "Connect-Content-Encoding", "Origin", "Sec-Fetch-Site",
		"X-Ambit", "Transfer-Encoding", "Content-Length", "Expect", "X-Http-Method-Override", "X-Forwarded-Host", "Forwarded", "Range", "Upgrade"}
	values = []string{"", "1", "-1", "gzip", "br", "99999999999999999999", "null", "same-origin", "websocket", "POST", "\x00", "\xff\xfe", "a, b", "127.0.0.1", "h2c"}
	bodies = []string{"", "{}", "{", "[]", "null", "0", `""`, `{"id":`, `{"id":"s-aaaaaaaaaa"}`, `{"id":{}}`, `{"ids":["g-aaaaaaaaaa"]}`, `{"pageSize":-1}`, `{"pageToken":"AAAA"}`,
		`{"argv":["\u0000"]}`, `{"argv":["x"],"dir":"relative"}`, `{"verdict":"VERDICT_ALLOW","capabilities":["fs.read:../x"]}`, `{"filter":{"since":"0001-01-01T00:00:00Z"}}`,
		"\x00\x00\x00\x00\x02{}", "\x01\x00\x00\x00\x02{}", "\x02\xff\xff\xff\xff", "\x0a\x00\x12\x01\xff", "\xef\xbb\xbf{}", "\x1f\x8b\x08\x00"}
)

// A thousand requests for each route that make no sense: none is answered with more
// than an error, and whoever is not known gets nothing.
func TestMalformed(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cookie := s.login(t, asToken(s.tokens[server.Admin]))
	const each = 1000 / 3 // each is sent by three
	for i, r := range server.Routes() {
		random := rand.New(rand.NewPCG(uint64(i), 1)) // the same each time
		pick := func(all []string) string { return all[random.IntN(len(all))] }
		for range each + 1 {
			m := mess{pick(methods), r.Procedure, pick(types), pick(names), pick(values), pick(bodies)}
			if random.IntN(4) == 0 {
				m.body = scrambled(random, m.body)
			}
			if random.IntN(10) == 0 {
				m.path += pick([]string{"/", "/..", "%00", "?x", "//", ";a"})
			}
			s.check(t, m, cookie)
		}
	}
}

func scrambled(random *rand.Rand, body string) string {
	b := []byte(body + fmt.Sprint(random.Uint64()))
	for range random.IntN(8) {
		b[random.IntN(len(b))] = byte(random.Uint32())
	}
	return strings.Repeat(string(b), 1+random.IntN(3))
}

// FuzzPort sends anything to any path.
func FuzzPort(f *testing.F) {
	for i, r := range server.Routes() {
		f.Add(methods[i%len(methods)], r.Procedure, types[i%len(types)], names[i%len(names)], values[i%len(values)], bodies[i%len(bodies)])
	}
	for _, path := range []string{"/login", "/me", "/logout", "/", "/healthz", "/readyz"} {
		f.Add("POST", path, "application/json", "X-Ambit", "1", `{"token":"x"}`)
	}
	s := newSite(f)
	f.Fuzz(func(t *testing.T, method, path, contentType, name, value, body string) {
		if path == "/healthz" || path == "/readyz" {
			return // anybody may ask
		}
		s.check(t, mess{method, path, contentType, name, value, body}, "x")
	})
}
