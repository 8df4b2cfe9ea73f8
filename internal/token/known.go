package token

import (
	"errors"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Known looks tokens up for a process that is asked often: it reads the file again
// when that is another one. It is safe for concurrent use.
type Known struct {
	file File

	mu   sync.Mutex
	seen unix.Stat_t          // guarded by mu; the file that tokens is of
	read bool                 // guarded by mu
	all  map[string]Token     // guarded by mu; by hash
	used map[string]time.Time // guarded by mu; what the file does not say yet
}

// Know returns the tokens of a file.
func Know(f File) *Known { return &Known{file: f, used: map[string]time.Time{}} }

// ByHash returns the token with this hash, if it is there and good now.
//
// Security: what was taken out of the file is not found from the next call on: a
// change makes another file. A file that cannot be read is an error.
func (k *Known) ByHash(hash string, now time.Time) (Token, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(); err != nil {
		return Token{}, false, err
	}
	t, ok := k.all[hash]
	return t, ok && t.Stands(now), nil
}

// refresh reads the file if it is not the one that was read.
func (k *Known) refresh() error {
	var st unix.Stat_t
	err := unix.Lstat(k.file.path, &st)
	if errors.Is(err, unix.ENOENT) {
		k.all, k.read = nil, false
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "lstat", Path: k.file.path, Err: err}
	}
	same := k.read && st.Ino == k.seen.Ino && st.Dev == k.seen.Dev && st.Ctim == k.seen.Ctim && st.Size == k.seen.Size
	if same {
		return nil
	}
	k.read = false
	list, err := k.file.List() // it is that file, or a later one, which is read again
	if err != nil {
		return err
	}
	k.all = map[string]Token{}
	for _, t := range list {
		k.all[t.Hash] = t
	}
	k.seen, k.read = st, true
	return nil
}

// Note notes that a token was used, for Flush.
func (k *Known) Note(t Token, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now = now.Truncate(time.Minute).UTC(); now.After(t.Used) {
		k.used[t.Hash] = now
	}
}

// Flush writes down what was noted.
func (k *Known) Flush() error {
	k.mu.Lock()
	used := k.used
	k.used = map[string]time.Time{}
	k.mu.Unlock()
	if len(used) == 0 {
		return nil
	}
	return k.file.Use(used)
}
