package main

import (
	"io"
	"sync"
	"sync/atomic"
)

// An opening is a part that is opened once, by whoever asks first. Not before it
// is needed: while a launch is decided its two processors have enough to do, and
// while the sandbox is built one of them has not.
type opening[T io.Closer] struct {
	part  func() (T, error)
	begun atomic.Bool
}

func open[T io.Closer](f func() (T, error)) *opening[T] {
	return &opening[T]{part: sync.OnceValues(f)}
}

// get opens the part, or waits for it.
func (o *opening[T]) get() (T, error) {
	o.begun.Store(true)
	return o.part()
}

// close closes the part if it was opened; its writes were durable when they
// returned.
func (o *opening[T]) close() {
	if !o.begun.Load() {
		return
	}
	if part, err := o.part(); err == nil {
		_ = part.Close()
	}
}
