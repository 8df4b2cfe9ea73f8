package request_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/egress/request"
)

// filler puts a value in, or refuses.
type filler struct {
	fail error
	to   request.Destination
}

func (f *filler) Bound(string, uint16) bool { return true }

func (f *filler) Fill(_ context.Context, d request.Destination, r *http.Request) (request.Scrubber, error) {
	f.to = d
	r.Header.Set("Authorization", "Bearer real")
	r.URL.RawQuery = "key=real"
	return scrubber{}, f.fail
}

type scrubber struct{}

func (scrubber) Header(h http.Header) {
	for k := range h {
		h[k] = []string{strings.ReplaceAll(h.Get(k), "real", "****")}
	}
}

func (scrubber) Body(b io.ReadCloser) io.ReadCloser {
	text, _ := io.ReadAll(b)
	return io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), "real", "****")))
}

// TestFiller: secrets are put in after the decision and toward a server that was
// verified, and are taken out of the answer.
func TestFiller(t *testing.T) {
	ways(t, func(t *testing.T, secure, two bool) {
		f := &filler{}
		w := start(t, secure, func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("X-Echo", r.Header.Get("Authorization"))
			fmt.Fprint(rw, r.URL.RawQuery)
		}, func(c *request.Config) { c.Filler = f })
		resp, err := w.client(two).Get(w.url())
		if text := body(t, resp, err); text != "key=****" || resp.Header.Get("X-Echo") != "Bearer ****" {
			t.Errorf("%q %v", text, resp.Header)
		}
		if f.to.Host != "far.test" || !f.to.Loopback || (f.to.Scheme == "https") != secure {
			t.Errorf("filled for %+v", f.to)
		}
		f.fail = &request.Refused{Reason: "placeholder-misuse", Words: "not there"}
		w.served()
		resp, err = w.client(two).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 403 || !strings.Contains(text, "placeholder-misuse") || w.served() != nil {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
		f.fail = errors.New("some error with real in it")
		resp, err = w.client(two).Get(w.url())
		if text := body(t, resp, err); resp.StatusCode != 403 || strings.Contains(text, "real") || w.served() != nil {
			t.Errorf("%d %q", resp.StatusCode, text)
		}
	})
}
