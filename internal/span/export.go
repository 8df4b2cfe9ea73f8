package span

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Bounds of what waits to be sent.
const (
	maxQueue  = 2048 // spans
	maxBatch  = 512  // in a message
	sendEvery = time.Second
	maxTries  = 4
	maxAnswer = 64 << 10
)

// What became of spans.
const (
	Sent    = "sent"
	Dropped = "dropped" // there was no room
	Lost    = "failed"  // nobody took them
)

// An Exporter sends spans. It is safe for concurrent use.
type Exporter struct {
	cfg    Config
	queue  chan Span
	count  func(outcome string, n int)
	failed func(error)
	pause  time.Duration // before the first new attempt
}

// New makes an exporter that counts what became of spans, and tells why some were lost;
// it sends when it runs.
func New(cfg Config, count func(outcome string, n int), failed func(error)) *Exporter {
	return &Exporter{cfg: cfg, queue: make(chan Span, maxQueue), count: count, failed: failed, pause: time.Second}
}

// Put takes spans to be sent. It waits for nobody.
func (e *Exporter) Put(spans ...Span) {
	for i := range spans {
		select {
		case e.queue <- spans[i]:
		default:
			e.count(Dropped, len(spans)-i)
			return
		}
	}
}

// Run sends until ctx ends, and then what is there, once.
func (e *Exporter) Run(ctx context.Context) {
	c := e.cfg.client()
	defer c.CloseIdleConnections()
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.Timeout)
			defer cancel()
			for e.batch(last, c, 1) {
			}
			return
		case <-tick.C:
			for ctx.Err() == nil && e.batch(ctx, c, maxTries) {
			}
		}
	}
}

// batch sends one message of what waits, and reports whether there may be more.
func (e *Exporter) batch(ctx context.Context, c *http.Client, tries int) bool {
	var spans []Span
	for len(spans) < maxBatch {
		select {
		case s := <-e.queue:
			spans = append(spans, s)
			continue
		default:
		}
		break
	}
	if len(spans) == 0 {
		return false
	}
	rejected, err := e.send(ctx, c, spans, tries)
	if err != nil {
		rejected = len(spans)
		e.failed(err)
	}
	if sent := len(spans) - rejected; sent > 0 {
		e.count(Sent, sent)
	}
	if rejected > 0 {
		e.count(Lost, rejected)
	}
	return len(spans) == maxBatch
}

// send sends a message, again where the receiver says that it may take it later.
func (e *Exporter) send(ctx context.Context, c *http.Client, spans []Span, tries int) (rejected int, err error) {
	text, err := e.cfg.encode(spans)
	if err != nil {
		return 0, err
	}
	pause := e.pause
	for try := 1; ; try++ {
		var again bool
		rejected, again, err = e.post(ctx, c, text, &pause)
		if err == nil || !again || try >= tries {
			return rejected, err
		}
		select {
		case <-ctx.Done():
			return 0, errors.Join(err, ctx.Err())
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// post makes one attempt. again says that another one may succeed, after a pause.
func (e *Exporter) post(ctx context.Context, c *http.Client, text []byte, pause *time.Duration) (rejected int, again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.cfg.URL, bytes.NewReader(text))
	if err != nil {
		return 0, false, errors.New("send spans: no such address") // it may have a password in it
	}
	maps.Copy(r.Header, e.cfg.Headers)
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(r)
	if err != nil {
		return 0, true, fmt.Errorf("send spans: %w", withoutAddress(err))
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // what it says more is of no use
	switch answer.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return partly(said), false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if s, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && s > 0 && s <= 60 {
			*pause = time.Duration(s) * time.Second
		}
		return 0, true, fmt.Errorf("send spans: the receiver answers %d", answer.StatusCode)
	}
	return 0, false, fmt.Errorf("send spans: the receiver answers %d", answer.StatusCode)
}

// withoutAddress is why a request failed: its address may have a password in it.
func withoutAddress(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// partly is how many spans the receiver says it did not take.
func partly(said []byte) int {
	var answer struct {
		PartialSuccess struct {
			Rejected json.Number `json:"rejectedSpans"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(said, &answer) != nil {
		return 0
	}
	n, err := strconv.Atoi(answer.PartialSuccess.Rejected.String())
	if err != nil || n < 0 || n > maxBatch {
		return 0
	}
	return n
}
