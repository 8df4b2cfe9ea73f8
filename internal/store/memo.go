package store

import (
	"errors"
	"os"
	"slices"

	"ambit.dev/ambit/internal/core/grant"
)

// memo is what Grants answered last, for as long as nothing has changed: a
// session with a network asks for each connection.
type memo struct {
	print           string // of the store when it was asked; "": there is no memo
	principal, pack string
	all             []grant.Grant
}

// now is the fingerprint of the open store, "" where it cannot be told.
//
// Security: see Fingerprint, of which this is the same for a store that is open:
// of a file that is kept open, so that another one in its place is not taken for
// it. A change that has returned has changed it.
func (s *Store) now() string {
	info, err := os.Lstat(s.path)
	if err != nil {
		return ""
	}
	held, err := s.look.Stat()
	if err != nil || !os.SameFile(info, held) {
		return ""
	}
	var header [100]byte
	if _, err := s.look.ReadAt(header[:], 0); err != nil {
		return ""
	}
	for _, suffix := range []string{"-journal", "-wal"} {
		if _, err := os.Lstat(s.path + suffix); !errors.Is(err, os.ErrNotExist) {
			return ""
		}
	}
	return printOf(header, info)
}

// recall answers from the memo, if the store has not changed since.
func (s *Store) recall(at, principal, pack string) (all []grant.Grant, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memo
	if at == "" || m.print != at || m.principal != principal || m.pack != pack {
		return nil, false
	}
	return slices.Clone(m.all), true
}

// note keeps what was read after the store had a fingerprint. What is newer than
// that does no harm: the store never has it again.
func (s *Store) note(at, principal, pack string, all []grant.Grant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memo = memo{at, principal, pack, slices.Clone(all)}
}
