package secret_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/egress/secret"
)

// What the tests put in, and what stands for it. No secret has a placeholder that
// says so; here it helps to read.
const (
	value = `correct"horse&battery/staple`
	mine  = "PLACEHOLDEROFTHISSECRETINTHISSANDBOXANDNOOTHERABCDEF"
	other = "ANOTHERPLACEHOLDEROFANOTHERSECRETINTHISSANDBOXABCDEF"
)

// source answers with the value and counts.
type source struct {
	asked []secret.Use
	err   error
}

func (s *source) Value(_ context.Context, u secret.Use) (binding.Value, error) {
	s.asked = append(s.asked, u)
	if s.err != nil {
		return binding.Value{}, s.err
	}
	return binding.NewValue(value)
}

var api = request.Destination{Scheme: "https", Host: "api.example.com", Port: 443}

func bind(change func(*binding.Binding)) binding.Binding {
	b := binding.Binding{Scheme: "https", Host: "api.example.com", Port: 443}
	if change != nil {
		change(&b)
	}
	return b.Default("token")
}

func filler(t *testing.T, b binding.Binding) (*secret.Filler, *source) {
	t.Helper()
	s := &source{}
	f, err := secret.New([]secret.Placeholder{{Name: "token", Text: mine, Binding: b}, {Name: "other", Text: other, Binding: bind(nil)}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return f, s
}

// sent is a request as a client sends it to the bound host.
func sent(change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://api.example.com/user", http.NoBody)
	r.RequestURI = ""
	if change != nil {
		change(r)
	}
	return r
}

func withBody(kind, body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Method, r.ContentLength = http.MethodPost, int64(len(body))
		r.Body = io.NopCloser(strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
	}
}

func bearer(r *http.Request) { r.Header.Set("Authorization", "Bearer "+mine) }

func userAndPassword(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// written is the request as it goes over the wire; an error is that of its body.
func written(r *http.Request) (string, error) {
	var b strings.Builder
	err := r.Write(&b)
	return b.String(), err
}

// TestOnlyThere: the value stands where the binding says, written as that place
// wants it, and nowhere else.
func TestOnlyThere(t *testing.T) {
	for _, tc := range []struct {
		name string
		b    binding.Binding
		with func(*http.Request)
		want string
	}{
		{"header", bind(nil), bearer, "Authorization: Bearer " + value + "\r\n"},
		{"another header", bind(func(b *binding.Binding) { b.Key = "x-api-key" }), func(r *http.Request) { r.Header.Set("X-Api-Key", mine) }, "X-Api-Key: " + value + "\r\n"},
		{"form", bind(func(b *binding.Binding) { b.Form = "token {}" }), func(r *http.Request) { r.Header.Set("Authorization", "token "+mine) }, "Authorization: token " + value + "\r\n"},
		{"basic", bind(func(b *binding.Binding) { b.Place, b.Key = binding.Basic, "me" }), func(r *http.Request) { r.Header.Set("Authorization", userAndPassword("me", mine)) },
			"Authorization: " + userAndPassword("me", value) + "\r\n"},
		{"query", bind(func(b *binding.Binding) { b.Place, b.Key = binding.Query, "key" }), func(r *http.Request) { r.URL.RawQuery = "a=%20&key=" + mine + "&b" },
			"GET /user?a=%20&key=correct%22horse%26battery%2Fstaple&b HTTP/1.1"},
		{"JSON", bind(func(b *binding.Binding) { b.Place = binding.Body }), withBody("application/json; charset=utf-8", `{"password":"`+mine+`"}`),
			"\r\n\r\n" + `{"password":"correct\"horse&battery/staple"}`},
		{"a form", bind(func(b *binding.Binding) { b.Place = binding.Body }), withBody("application/x-www-form-urlencoded", "a=1&password="+mine),
			"\r\n\r\na=1&password=correct%22horse%26battery%2Fstaple"},
		{"a member", bind(func(b *binding.Binding) { b.Place, b.Key = binding.Body, "client_secret" }),
			withBody("application/json", `{"a": {"client_secret": "x"}, "client_secret" : "`+mine+`", "b": [1]}`), `"client_secret" : "correct\"horse&battery/staple", "b": [1]}`},
		{"a field", bind(func(b *binding.Binding) { b.Place, b.Key = binding.Body, "client_secret" }),
			withBody("application/x-www-form-urlencoded", "a=1&client%5Fsecret="+mine), "\r\n\r\na=1&client%5Fsecret=correct%22horse%26battery%2Fstaple"},
		{"text", bind(func(b *binding.Binding) { b.Place = binding.Body }), withBody("text/plain", "pass "+mine+"!"), "\r\n\r\npass " + value + "!"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, s := filler(t, tc.b)
			r := sent(tc.with)
			scrub, err := f.Fill(t.Context(), api, r)
			if err != nil || scrub == nil {
				t.Fatalf("%v, %v", scrub, err)
			}
			text, err := written(r)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, tc.want) {
				t.Errorf("sent\n%s\nwant %q", text, tc.want)
			}
			if strings.Contains(text, mine) || strings.Count(text, "horse") > 1 {
				t.Errorf("sent\n%s", text)
			}
			if !strings.Contains(text, "Accept-Encoding: identity\r\n") {
				t.Error("the answer may come encoded")
			}
			if len(s.asked) != 1 || s.asked[0].Name != "token" || s.asked[0].Path != "/user" || s.asked[0].Method != r.Method {
				t.Errorf("asked %v", s.asked)
			}
		})
	}
}

// TestMisuse: toward another destination, in another place, in another form, or
// more than once, the request is refused before anybody is asked for a value. The
// control is TestOnlyThere: the same request as it should be.
func TestMisuse(t *testing.T) {
	elsewhere := api
	elsewhere.Host = "evil.example.com"
	port := api
	port.Port = 8443
	plain := request.Destination{Scheme: "http", Host: "api.example.com", Port: 443, Loopback: true}
	header, query := bind(nil), bind(func(b *binding.Binding) { b.Place, b.Key = binding.Query, "key" })
	basic := bind(func(b *binding.Binding) { b.Place, b.Key = binding.Basic, "me" })
	body := bind(func(b *binding.Binding) { b.Place = binding.Body })
	field := bind(func(b *binding.Binding) { b.Place, b.Key = binding.Body, "client_secret" })
	json := func(text string) func(*http.Request) { return withBody("application/json", text) }
	for _, tc := range []struct {
		name string
		b    binding.Binding
		to   request.Destination
		with func(*http.Request)
	}{
		{"another host", header, elsewhere, func(r *http.Request) { bearer(r); r.Host, r.URL.Host = elsewhere.Host, elsewhere.Host }},
		{"another port", header, port, func(r *http.Request) { bearer(r); r.Host = "api.example.com:8443" }},
		{"plain HTTP", header, plain, bearer},
		{"another Host header", header, api, func(r *http.Request) { bearer(r); r.Host = "evil.example.com" }},
		{"a host below", header, api, func(r *http.Request) { bearer(r); r.Host = "api.example.com.evil.example" }},
		{"another port in Host", header, api, func(r *http.Request) { bearer(r); r.Host = "api.example.com:444" }},
		{"another header", header, api, func(r *http.Request) { r.Header.Set("X-Copy", mine) }},
		{"two headers", header, api, func(r *http.Request) { bearer(r); r.Header.Set("X-Copy", "Bearer "+mine) }},
		{"twice", header, api, func(r *http.Request) { bearer(r); r.Header.Add("Authorization", "Bearer "+mine) }},
		{"twice in one", header, api, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+mine+mine) }},
		{"another form", header, api, func(r *http.Request) { r.Header.Set("Authorization", "token "+mine) }},
		{"more than the form", header, api, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+mine+", x") }},
		{"the name of a header", header, api, func(r *http.Request) { bearer(r); r.Header.Set("X-"+mine, "1") }},
		{"basic instead", header, api, func(r *http.Request) { r.Header.Set("Authorization", userAndPassword("me", mine)) }},
		{"basic beside", header, api, func(r *http.Request) { bearer(r); r.Header.Set("X-Copy", userAndPassword(mine, "")) }},
		{"another user", basic, api, func(r *http.Request) { r.Header.Set("Authorization", userAndPassword("you", mine)) }},
		{"as the user", basic, api, func(r *http.Request) { r.Header.Set("Authorization", userAndPassword(mine, mine)) }},
		{"path", header, api, func(r *http.Request) { bearer(r); r.URL.Path = "/" + mine }},
		{"path with capitals", header, api, func(r *http.Request) { bearer(r); r.URL.Path = "/" + strings.ToLower(mine) }},
		{"path with percent signs", header, api, func(r *http.Request) {
			bearer(r)
			r.URL.RawPath, r.URL.Path = "/%50"+mine[1:], "/"+mine
		}},
		{"query", header, api, func(r *http.Request) { bearer(r); r.URL.RawQuery = "q=" + mine }},
		{"query with percent signs", header, api, func(r *http.Request) { r.URL.RawQuery = "q=%50" + mine[1:] }},
		{"another parameter", query, api, func(r *http.Request) { r.URL.RawQuery = "q=" + mine }},
		{"a parameter twice", query, api, func(r *http.Request) { r.URL.RawQuery = "key=" + mine + "&key=" + mine }},
		{"a parameter's name", query, api, func(r *http.Request) { r.URL.RawQuery = "key=" + mine + "&" + mine }},
		{"user of the URL", header, api, func(r *http.Request) { r.URL.User = nil; r.URL.Host = mine + ".example.com" }},
		{"method", header, api, func(r *http.Request) { r.Method = mine }},
		{"trailer", header, api, func(r *http.Request) { bearer(r); r.Trailer = http.Header{"X-Sum": {mine}} }},
		{"body twice", body, api, json(`["` + mine + `","` + mine + `"]`)},
		{"body beside a header", body, api, func(r *http.Request) { json(`["` + mine + `"]`)(r); r.Header.Set("X-Copy", mine) }},
		{"the other secret in the body", body, api, json(`["` + other + `"]`)},
		{"another member", field, api, json(`{"comment": "` + mine + `"}`)},
		{"more than the member", field, api, json(`{"client_secret": "` + mine + `!"}`)},
		{"a member of a member", field, api, json(`{"a": {"client_secret": "` + mine + `"}}`)},
		{"a member that looks like it", field, api, json(`{"client_secret": "\u0050` + mine[1:] + `", "comment": "` + mine + `"}`)},
		{"a name that looks like a member", field, api, json(`{"client_secret": "x", "client_secret\": \"` + mine + `": 1}`)},
		{"a list", field, api, json(`["client_secret", "` + mine + `"]`)},
		{"no JSON", field, api, json(`{"client_secret": x, "a": "` + mine + `"}`)},
		{"another field", field, api, withBody("application/x-www-form-urlencoded", "comment="+mine+"&client_secret=%50"+mine[1:])},
		{"text without fields", field, api, withBody("text/plain", "client_secret="+mine)},
		{"both in the body", body, api, json(`["` + mine + `","` + other + `"]`)},
		{"the other secret beside it", header, api, func(r *http.Request) { bearer(r); r.Header.Set("X-Copy", other) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, s := filler(t, tc.b)
			r := sent(tc.with)
			_, err := f.Fill(t.Context(), tc.to, r)
			wantMisuse(t, err)
			if len(s.asked) > 0 {
				t.Errorf("a value was asked for: %v", s.asked)
			}
			if text, _ := written(r); strings.Contains(text, "horse") {
				t.Errorf("the request has the value:\n%s", text)
			}
		})
	}
}

func wantMisuse(t *testing.T, err error) {
	t.Helper()
	var no *request.Refused
	if !errors.As(err, &no) || no.Reason != secret.Misuse {
		t.Errorf("got %v, want a refusal as misuse", err)
		return
	}
	if strings.Contains(no.Words, mine) || strings.Contains(no.Words, "horse") {
		t.Errorf("the words show too much: %s", no.Words)
	}
}

// TestMisuseInBody: what comes by in a body that is passed on as it is, ends it.
func TestMisuseInBody(t *testing.T) {
	body := bind(func(b *binding.Binding) { b.Place = binding.Body })
	elsewhere := api
	elsewhere.Host = "evil.example.com"
	long := strings.Repeat("x", 2<<20)
	for _, tc := range []struct {
		name, kind, text string
		b                binding.Binding
		to               request.Destination
	}{
		{"bound to a header", "application/json", `{"a":"` + mine + `"}`, bind(nil), api},
		{"another host", "application/json", `{"a":"` + mine + `"}`, body, elsewhere},
		{"a type that is not known", "application/octet-stream", "a" + mine, body, api},
		{"no type", "", mine, body, api},
		{"too long", "text/plain", long + mine, body, api},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(tc.name, chunked), func(t *testing.T) {
				f, s := filler(t, tc.b)
				r := sent(withBody(tc.kind, tc.text))
				r.Host, r.URL.Host = tc.to.Host, tc.to.Host
				if chunked {
					r.ContentLength, r.Body = -1, io.NopCloser(oneByOne{strings.NewReader(tc.text)})
				}
				if _, err := f.Fill(t.Context(), tc.to, r); !chunked && len(tc.text) < 1000 {
					wantMisuse(t, err) // before anything is sent
					return
				} else if err != nil {
					t.Fatal(err)
				}
				sent, err := io.ReadAll(r.Body)
				wantMisuse(t, err)
				if text := string(sent); len(s.asked) > 0 || strings.Contains(text, "horse") || strings.Contains(text, mine) {
					t.Errorf("asked %v, sent %d bytes", s.asked, len(text))
				}
			})
		}
	}
}

// oneByOne reads a few bytes at a time.
type oneByOne struct{ from io.Reader }

func (o oneByOne) Read(p []byte) (int, error) { return o.from.Read(p[:min(len(p), 7)]) }

// TestUntouched: a request without a placeholder goes as it is, body and all.
func TestUntouched(t *testing.T) {
	f, s := filler(t, bind(func(b *binding.Binding) { b.Place = binding.Body }))
	text := strings.Repeat("PLACEHOLDEROF ", 100_000)
	for _, kind := range []string{"text/plain", "application/octet-stream"} {
		r := sent(withBody(kind, text))
		r.Header.Set("Accept-Encoding", "gzip")
		scrub, err := f.Fill(t.Context(), api, r)
		if err != nil || scrub != nil || r.Header.Get("Accept-Encoding") != "gzip" {
			t.Errorf("%v, %v", scrub, err)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != text {
			t.Errorf("%s: %d of %d bytes, %v", kind, len(got), len(text), err)
		}
	}
	if len(s.asked) > 0 {
		t.Errorf("asked %v", s.asked)
	}
}

// TestEachRequest: a value is asked for each time, and what is refused then stays
// out of the request.
func TestEachRequest(t *testing.T) {
	f, s := filler(t, bind(nil))
	for range 3 {
		if _, err := f.Fill(t.Context(), api, sent(bearer)); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.asked) != 3 {
		t.Errorf("asked %d times for 3 requests", len(s.asked))
	}
	s.err = &request.Refused{Reason: secret.Withdrawn, Words: "no more"}
	r := sent(bearer)
	_, err := f.Fill(t.Context(), api, r)
	var no *request.Refused
	if !errors.As(err, &no) || no.Reason != secret.Withdrawn {
		t.Errorf("got %v", err)
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+mine {
		t.Errorf("the request has %q", got)
	}
}

// TestLoopback: plain HTTP is filled toward what is dialled as loopback only.
func TestLoopback(t *testing.T) {
	b := bind(func(b *binding.Binding) { b.Scheme, b.Host, b.Port = "http", "host.ambit.internal", 8080 })
	d := request.Destination{Scheme: "http", Host: "host.ambit.internal", Port: 8080, Loopback: true}
	f, _ := filler(t, b)
	r := sent(func(r *http.Request) { bearer(r); r.Host = "host.ambit.internal:8080" })
	if _, err := f.Fill(t.Context(), d, r); err != nil || r.Header.Get("Authorization") != "Bearer "+value {
		t.Errorf("%v, %v", err, r.Header)
	}
	d.Loopback = false
	r = sent(func(r *http.Request) { bearer(r); r.Host = "host.ambit.internal:8080" })
	_, err := f.Fill(t.Context(), d, r)
	wantMisuse(t, err)
}

// TestForeignPlaceholder: that of another sandbox means nothing here, and goes out
// as it is.
func TestForeignPlaceholder(t *testing.T) {
	f, s := filler(t, bind(nil))
	r := sent(func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+strings.Repeat("FOREIGN", 8)) })
	if scrub, err := f.Fill(t.Context(), api, r); err != nil || scrub != nil || len(s.asked) > 0 {
		t.Errorf("%v, %v, asked %v", scrub, err, s.asked)
	}
}

func TestBound(t *testing.T) {
	f, _ := filler(t, bind(nil))
	for _, tc := range []struct {
		host string
		port uint16
		want bool
	}{{"api.example.com", 443, true}, {"api.example.com", 80, false}, {"example.com", 443, false}, {"x.api.example.com", 443, false}} {
		if f.Bound(tc.host, tc.port) != tc.want {
			t.Errorf("%s:%d is not %v", tc.host, tc.port, tc.want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, all := range [][]secret.Placeholder{
		{{Name: "a", Text: "short", Binding: bind(nil)}},
		{{Name: "a", Text: mine}},
		{{Name: "a b", Text: mine, Binding: bind(nil)}},
		{{Name: "a", Text: mine, Binding: bind(nil)}, {Name: "b", Text: mine, Binding: bind(nil)}},
		{{Name: "a", Text: mine, Binding: bind(nil)}, {Name: "b", Text: strings.ToLower(mine) + "x", Binding: bind(nil)}},
	} {
		if _, err := secret.New(all, &source{}); err == nil {
			t.Errorf("taken: %v", all)
		}
	}
}

// FuzzFill: whatever the request is, it has the value in the one bound place or
// not at all.
func FuzzFill(f *testing.F) {
	f.Add("GET", "/a", "b=c", "Authorization", "Bearer "+mine, "api.example.com", "")
	f.Add("POST", "/"+mine, "key="+mine, "X", userAndPassword("me", mine), "evil", mine)
	f.Fuzz(func(t *testing.T, method, path, query, name, text, host, body string) {
		fill, s := filler(t, bind(nil))
		r := sent(func(r *http.Request) {
			r.Method, r.URL.Path, r.URL.RawQuery, r.Host = method, path, query, host
			r.Header[name] = []string{text}
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		})
		_, err := fill.Fill(t.Context(), api, r)
		all := fmt.Sprint(r.Method, r.URL, r.Host, r.Header)
		if b, err := io.ReadAll(r.Body); err == nil {
			all += string(b)
		}
		filled := name == "Authorization" && text == "Bearer "+mine && err == nil
		if filled != strings.Contains(all, value) || filled != (len(s.asked) == 1) {
			t.Errorf("filled %v, asked %v, %v: %s", filled, s.asked, err, all)
		}
		if filled && strings.Contains(all, mine) {
			t.Errorf("a placeholder goes out with the value: %s", all)
		}
	})
}
