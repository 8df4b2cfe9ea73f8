package secret

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
)

// A scrubber crosses values out of one answer.
type scrubber struct {
	words   []word // the longest first
	gzip    bool   // the body is decoded on the way
	encoded bool   // the body cannot be searched
}

var _ request.Scrubber = (*scrubber)(nil)

// add looks for a value as it is, and as servers usually write what they were
// sent: in JSON, in a URL, in HTML, in base64.
func (s *scrubber) add(b binding.Binding, value string) {
	html := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(value)
	texts := []string{value, inJSON(value), strings.ReplaceAll(inJSON(value), "/", `\/`), asGo(value), url.QueryEscape(value), url.PathEscape(value), html, strings.ReplaceAll(html, "&#34;", "&quot;"),
		strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(value)), "="), base64.RawURLEncoding.EncodeToString([]byte(value))}
	if b.Place == binding.Basic {
		texts = append(texts, strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(b.Key+":"+value)), "="))
	}
	for _, t := range texts {
		if !slices.ContainsFunc(s.words, func(w word) bool { return string(w.text) == t }) {
			s.words = append(s.words, word{text: []byte(t)})
		}
	}
	slices.SortStableFunc(s.words, func(a, b word) int { return len(b.text) - len(a.text) })
}

// asGo writes a text as this language's encoder does unless it is told otherwise.
func asGo(v string) string {
	text, err := json.Marshal(v)
	if err != nil {
		return v // a string always encodes
	}
	return string(text[1 : len(text)-1])
}

// Header crosses values out of headers, and hears of how the body that follows is
// encoded. A header whose name has one is left out.
func (s *scrubber) Header(h http.Header) {
	for name, values := range h {
		if slices.ContainsFunc(s.words, func(w word) bool { return bytes.Contains(bytes.ToLower([]byte(name)), bytes.ToLower(w.text)) }) {
			delete(h, name)
			continue
		}
		for i, v := range values {
			values[i] = s.text(v)
		}
	}
	s.gzip, s.encoded = false, false
	switch strings.ToLower(strings.TrimSpace(strings.Join(h.Values("Content-Encoding"), ","))) {
	case "", "identity":
	case "gzip", "x-gzip":
		s.gzip = true
		h.Del("Content-Encoding")
		h.Del("Content-Length")
	default:
		s.encoded = true
	}
}

func (s *scrubber) text(v string) string {
	b := []byte(v)
	for _, w := range s.words {
		_ = w.cross(b) // it has no error to return
	}
	return string(b)
}

var errEncoded = errors.New("the server encoded its answer though it was told not to, so that it cannot be searched for the secret it was sent")

// Body crosses values out of a body. One that is encoded, which nobody asked for,
// is decoded; where that cannot be done it is not passed on.
func (s *scrubber) Body(b io.ReadCloser) io.ReadCloser {
	switch {
	case s.encoded:
		return &stream{from: b, err: errEncoded}
	case s.gzip:
		b = &inflated{ReadCloser: b}
	}
	return &stream{from: b, words: s.words}
}

// inflated is a body that was sent as gzip.
type inflated struct {
	io.ReadCloser
	z *gzip.Reader
}

func (i *inflated) Read(p []byte) (n int, err error) {
	if i.z == nil {
		if i.z, err = gzip.NewReader(i.ReadCloser); err != nil {
			return 0, err // io.EOF where there is no body
		}
	}
	return i.z.Read(p)
}
