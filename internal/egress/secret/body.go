package secret

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
)

// Bodies that are held whole.
const (
	maxBody  = 1 << 20  // the longest that a value is put into: its length changes
	maxKnown = 64 << 10 // the longest that is looked at before anything is sent
)

// body looks after the body: a secret that is bound to it is found in it, and
// any other placeholder refuses the request, or ends it when it comes by.
func (f *Filler) body(d request.Destination, r *http.Request) (at spot, found bool, err error) {
	if len(f.all) == 0 || r.Body == nil || r.Body == http.NoBody {
		return spot{}, false, nil
	}
	var words []word
	var bound []sought
	for _, s := range f.all {
		if s.Binding.Place == binding.Body && s.bound(d, r) {
			bound = append(bound, s)
		}
		words = append(words, word{text: []byte(s.Text), met: func() error { return s.misuse("body") }})
	}
	form := formOf(r)
	if form == nil {
		bound = nil
	}
	known := r.ContentLength >= 0 && r.ContentLength <= maxKnown
	if !known && len(bound) == 0 || r.ContentLength > maxBody {
		r.Body = &stream{from: r.Body, words: words, end: func() error { return f.trailer(r) }}
		return spot{}, false, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return spot{}, false, err
	}
	if len(text) > maxBody { // what comes after it is only looked at
		rest := struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(text), r.Body), r.Body}
		r.Body = &stream{from: rest, words: words, end: func() error { return f.trailer(r) }}
		return spot{}, false, nil
	}
	if err := r.Body.Close(); err != nil {
		return spot{}, false, err
	}
	if err := f.trailer(r); err != nil {
		return spot{}, false, err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return f.inBody(bound, text, r, form)
}

// inBody finds the one placeholder that may stand in a body.
func (f *Filler) inBody(bound []sought, text []byte, r *http.Request, form form) (at spot, found bool, err error) {
	for _, s := range f.all {
		n := bytes.Count(text, []byte(s.Text))
		if n == 0 {
			continue
		}
		may := false
		for _, b := range bound {
			may = may || b.Name == s.Name && (b.Binding.Key == "" || form.field(text, b.Binding.Key, s.Text))
		}
		switch {
		case !may:
			return spot{}, false, s.misuse("body")
		case n > 1 || found:
			return spot{}, false, &request.Refused{Reason: Misuse, Words: fmt.Sprintf("there is more than one placeholder in the body, that of the secret %s among them", s.Name)}
		}
		at, found = spot{s, func(v string) {
			filled := bytes.Replace(text, []byte(s.Text), []byte(form.write(v)), 1)
			r.Body, r.GetBody = io.NopCloser(bytes.NewReader(filled)), nil
			r.ContentLength, r.TransferEncoding = int64(len(filled)), nil
			r.Header.Del("Content-Length")
		}}, true
	}
	return at, found, nil
}

// trailer looks at what comes after the body.
func (f *Filler) trailer(r *http.Request) error {
	for _, s := range f.all {
		for name, values := range r.Trailer {
			for _, p := range header(name, values) {
				if s.in(p.text) {
					return s.misuse("trailer")
				}
			}
		}
	}
	return nil
}
