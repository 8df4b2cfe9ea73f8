package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ambit.dev/ambit/internal/approval"
)

// How long to wait before looking again, where the service does not say, and
// the bounds of what it may say.
const (
	pollDefault = 2 * time.Second
	pollLeast   = time.Second
	pollMost    = time.Minute
)

// maxFailed bounds how often in a row looking may fail: networks have gaps.
const maxFailed = 3

// ask posts the question and returns its answer.
func (f *Front) ask(ctx context.Context, q approval.Question) (approval.Answer, error) {
	nonce := f.cfg.Nonce()
	body, err := encode(q, nonce)
	if err != nil {
		return approval.Answer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.at.String(), bytes.NewReader(body))
	if err != nil {
		return approval.Answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	f.seal(r, ofQuestion, nonce, body)
	got, err := f.do(r)
	if err != nil {
		return approval.Answer{}, err
	}
	if got.status == http.StatusAccepted {
		got, err = f.poll(ctx, got, nonce)
	}
	if err == nil && got.status != http.StatusOK {
		err = got.refused()
	}
	if err == nil {
		err = f.open(got.header, nonce, got.body)
	}
	if err != nil {
		return approval.Answer{}, err
	}
	a, err := decode(got.body, q, nonce)
	if err != nil {
		return approval.Answer{}, err
	}
	a.By = f.Name() + by(a.By)
	return q.Fit(a, f.cfg.Now())
}

func by(who string) string {
	if who == "" {
		return ""
	}
	return ": " + who
}

// poll looks for the answer until it is there.
func (f *Front) poll(ctx context.Context, accepted response, nonce string) (response, error) {
	at, err := f.place(accepted.header.Get("Location"))
	if err != nil {
		return response{}, err
	}
	failed := 0
	for wait := f.patience(accepted.header); ; {
		select {
		case <-ctx.Done():
			return response{}, ctx.Err()
		case <-time.After(wait):
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
		if err != nil {
			return response{}, err
		}
		f.seal(r, ofPoll, nonce, []byte(at.RequestURI()))
		got, err := f.do(r)
		switch {
		case err == nil && got.status == http.StatusAccepted:
			failed = 0
		case err == nil && got.status != http.StatusTooManyRequests && got.status < http.StatusInternalServerError:
			return got, nil
		default:
			if failed++; failed > maxFailed {
				return got, err
			}
		}
		wait = f.patience(got.header)
	}
}

// place is where the service says that the answer will be: on the host that was
// named, and nowhere else.
func (f *Front) place(location string) (*url.URL, error) {
	if location == "" {
		return nil, errors.New("it accepted the question without saying where the answer will be (Location)")
	}
	to, err := f.at.Parse(location)
	if err != nil || to.Scheme != f.at.Scheme || to.Host != f.at.Host || to.User != nil {
		return nil, errors.New("it says that the answer will be on another host, which is not asked")
	}
	return to, nil
}

// patience is how long to wait before looking again: RFC 9110, Retry-After.
func (f *Front) patience(h http.Header) time.Duration {
	wait := pollDefault
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(pollMost/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(f.cfg.Now())
	}
	return min(max(wait, pollLeast), pollMost)
}

// response is what was read of one.
type response struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request and reads the response, as far as it may be long.
func (f *Front) do(r *http.Request) (response, error) {
	r.Header.Set("User-Agent", "ambit")
	got, err := f.client.Do(r)
	if err != nil {
		return response{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(io.LimitReader(got.Body, maxBody+1))
	if err != nil {
		return response{}, fmt.Errorf("read the response: %w", err)
	}
	if len(body) > maxBody {
		return response{}, fmt.Errorf("the response is longer than %d bytes", maxBody)
	}
	return response{got.StatusCode, got.Header, body}, nil
}

// refused says what a status means that is no answer.
func (r response) refused() error {
	if r.status >= 300 && r.status < 400 {
		return fmt.Errorf("it redirects (status %d), which is not followed", r.status)
	}
	return fmt.Errorf("it responded with status %d", r.status)
}
