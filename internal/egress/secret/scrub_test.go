package secret_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
)

// scrubber is what Fill returns for a request with the value.
func scrubber(t *testing.T) request.Scrubber {
	t.Helper()
	f, _ := filler(t, bind(func(b *binding.Binding) { b.Place, b.Key = binding.Basic, "me" }))
	s, err := f.Fill(t.Context(), api, sent(func(r *http.Request) { r.Header.Set("Authorization", userAndPassword("me", mine)) }))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func echoes(t *testing.T) map[string]string {
	t.Helper()
	inJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"as it is": value, "JSON": string(inJSON[1 : len(inJSON)-1]), "a query": url.QueryEscape(value), "a path": url.PathEscape(value),
		"HTML": "correct&#34;horse&amp;battery/staple", "base64": base64.StdEncoding.EncodeToString([]byte(value)),
		"base64 of URLs": base64.RawURLEncoding.EncodeToString([]byte(value)), "basic": userAndPassword("me", value)[len("Basic "):],
		"JSON without HTML": `correct\"horse&battery/staple`,
	}
}

// TestScrub: what an answer repeats arrives as asterisks, and is as long as before.
func TestScrub(t *testing.T) {
	for name, echo := range echoes(t) {
		t.Run(name, func(t *testing.T) {
			s := scrubber(t)
			h := http.Header{"X-Echo": {"a " + echo + " b", echo + echo}, "Location": {"https://evil.example/?t=" + echo}, "X-" + echo: {"1"}, "Kept": {"yes"}}
			s.Header(h)
			for name, values := range h {
				if strings.Contains(name, echo) || strings.Contains(strings.Join(values, " "), strings.TrimRight(echo, "=")) {
					t.Errorf("%s: %q", name, values)
				}
			}
			if h.Get("Kept") != "yes" || len(h.Get("X-Echo")) != len(echo)+4 {
				t.Errorf("%v", h)
			}
			body := "begin " + echo + echo + " middle " + echo + " end"
			got, err := io.ReadAll(s.Body(io.NopCloser(strings.NewReader(body))))
			if err != nil || len(got) != len(body) || strings.Contains(string(got), strings.TrimRight(echo, "=")) {
				t.Errorf("%q, %v", got, err)
			}
			if !strings.HasPrefix(string(got), "begin ***") || !strings.HasSuffix(string(got), " end") || !strings.Contains(string(got), " middle *") {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestScrubAnyBorder: however an answer is cut, on the way in and on the way out,
// it arrives the same.
func TestScrubAnyBorder(t *testing.T) {
	body := strings.Repeat("c", 40) + "correct" + value + "correct" + value[:len(value)-1] + " " + value + "corr"
	want := strings.ReplaceAll(body, value, strings.Repeat("*", len(value)))
	s := scrubber(t)
	for n := 1; n < len(body); n++ {
		cut := io.MultiReader(strings.NewReader(body[:n]), strings.NewReader(body[n:]))
		if got, err := io.ReadAll(s.Body(io.NopCloser(cut))); err != nil || string(got) != want {
			t.Fatalf("cut at %d: %q, %v", n, got, err)
		}
	}
	for name, from := range map[string]io.Reader{"bytes": iotest.OneByteReader(strings.NewReader(body)), "halves": iotest.HalfReader(strings.NewReader(body)),
		"with its end": iotest.DataErrReader(strings.NewReader(body))} {
		got, err := io.ReadAll(iotest.OneByteReader(s.Body(io.NopCloser(from))))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestTrickle: what cannot be the beginning of a value is passed on at once.
func TestTrickle(t *testing.T) {
	s := scrubber(t)
	in, out := io.Pipe()
	body := s.Body(in)
	defer body.Close()
	for _, text := range []string{"data: tick\n\n", "data: tock\n\n"} {
		go out.Write([]byte(text)) //nolint:errcheck // what is not read shows
		got := make([]byte, len(text))
		if _, err := io.ReadFull(body, got); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestEncoded: an answer that was encoded against what the request said is not
// passed on unsearched.
func TestEncoded(t *testing.T) {
	s := scrubber(t)
	s.Header(http.Header{"Content-Encoding": {"br"}})
	if got, err := io.ReadAll(s.Body(io.NopCloser(strings.NewReader("whatever")))); err == nil || len(got) > 0 {
		t.Errorf("%q passed", got)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, "whatever "+value); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for want, body := range map[string]io.Reader{"whatever " + strings.Repeat("*", len(value)): &packed, "": strings.NewReader("")} {
		s = scrubber(t)
		h := http.Header{"Content-Encoding": {"gzip"}, "Content-Length": {"99"}}
		s.Header(h)
		if got, err := io.ReadAll(s.Body(io.NopCloser(body))); err != nil || string(got) != want || len(h) > 0 {
			t.Errorf("%q, %v, %v", got, err, h)
		}
	}
	s = scrubber(t)
	s.Header(http.Header{"Content-Encoding": {"identity"}})
	if got, err := io.ReadAll(s.Body(io.NopCloser(strings.NewReader("whatever")))); err != nil || string(got) != "whatever" {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzScrub compares with a replacement in the whole text.
func FuzzScrub(f *testing.F) {
	f.Add("abc "+value+" def", 5)
	f.Add(value+value[:9], 11)
	f.Fuzz(func(t *testing.T, body string, n int) {
		for _, echo := range echoes(t) {
			if echo != value && strings.Contains(body, echo) {
				return // the plain replacement knows only one
			}
		}
		n = max(0, min(n, len(body)))
		want := strings.ReplaceAll(body, value, strings.Repeat("*", len(value)))
		cut := io.MultiReader(strings.NewReader(body[:n]), strings.NewReader(body[n:]))
		if got, err := io.ReadAll(scrubber(t).Body(io.NopCloser(cut))); err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	})
}

func BenchmarkScrub(b *testing.B) {
	f, _ := filler(&testing.T{}, bind(nil))
	s, err := f.Fill(b.Context(), api, sent(bearer))
	if err != nil {
		b.Fatal(err)
	}
	body := strings.Repeat("an answer as servers give them, ", 1<<15)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, s.Body(io.NopCloser(strings.NewReader(body)))); err != nil {
			b.Fatal(err)
		}
	}
}
