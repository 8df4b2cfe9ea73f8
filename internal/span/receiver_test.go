package span_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"ambit.dev/ambit/internal/span/spantest"
)

// receiver is one of OTLP that takes what spantest takes, and answers as it is told.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answer  func(n int, w http.ResponseWriter) // of the n-th message; nil: it is taken
	got     []spantest.Span                    // guarded by mu
	headers []http.Header                      // guarded by mu
	paths   []string                           // guarded by mu
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		text, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		r.headers, r.paths = append(r.headers, q.Header), append(r.paths, q.URL.Path)
		if r.answer != nil {
			r.answer(len(r.headers), w)
			return
		}
		m, err := spantest.Parse(q.Header, text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		r.got = append(r.got, m.Spans...)
		_ = json.NewEncoder(w).Encode(struct{}{})
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) spans() []spantest.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]spantest.Span(nil), r.got...)
}

func (r *receiver) messages() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.headers)
}
