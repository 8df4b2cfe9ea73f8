package server

import (
	"sync"
	"time"
)

// How long what was read is good for others that ask meanwhile, where nothing says that
// it was changed: who has ended without a word is seen that much later.
const (
	rowsFresh = 100 * time.Millisecond
	jobsFresh = 50 * time.Millisecond
)

// recent is what was read a moment ago. Callers that come together share one look.
type recent[T any] struct {
	mu   sync.Mutex
	of   string    // guarded by mu; what it was read of, "": nothing
	at   time.Time // guarded by mu; when that began
	read T         // guarded by mu; nobody changes it
}

// get returns what was read of the same key within some time, or reads it anew. The key was
// found before: what has changed since has another one. "" is never the same.
func (r *recent[T]) get(key string, within time.Duration, look func() (T, error)) (T, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := time.Now()
	if key != "" && r.of == key && began.Sub(r.at) < within {
		return r.read, nil
	}
	read, err := look()
	if err != nil {
		r.of = ""
		return read, err
	}
	r.of, r.at, r.read = key, began, read
	return read, nil
}
