package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"

	"ambit.dev/ambit/internal/keep"
	"ambit.dev/ambit/internal/store"
)

// Of the folders of what has ended: how many there are of each kind, those that run
// included, how many are removed at once, how often it is looked, and after how long what
// was never begun is given up.
const (
	keptMost     = 10_000
	removeAtOnce = 1000
	tidyEvery    = 10 * time.Minute
	tidyMore     = 10 * time.Second
	givenUpAfter = time.Hour
)

// A shelf has the folders of sessions, and of what was started in them.
//
// Security: what runs is not removed, by what its keeper says and by the list; nor is what
// somebody reads or asks for at this moment.
type shelf struct {
	kinds []shelfKind
	lasts time.Duration // after its end
	most  int
	now   func() time.Time
	runs  func(context.Context) (map[string]bool, error) // what the list says

	mu   sync.RWMutex   // held to read while several files of a folder are, and to write while one goes
	held map[string]int // guarded by mu; how many use a folder, by id
}

// A shelfKind is a folder of folders.
type shelfKind struct {
	dir string
	id  *regexp.Regexp
}

// hold keeps a folder from being removed until release.
func (h *shelf) hold(id string) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[id]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.held[id]--; h.held[id] == 0 {
			delete(h.held, id)
		}
	}
}

// tidy removes what is too old, and the oldest of what is too many, up to a bound; more
// says that it was reached.
func (h *shelf) tidy(ctx context.Context) (gone []string, more bool, err error) {
	running, err := h.runs(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, k := range h.kinds {
		err = errors.Join(err, keep.Sweep(k.dir, h.now().Add(-givenUpAfter)))
		all, bad := k.oldest()
		err = errors.Join(err, bad)
		over := len(all) - h.most
		for _, f := range all {
			if over <= 0 && h.now().Sub(f.changed) < h.lasts {
				break // as is all that follows
			}
			if len(gone) == removeAtOnce || ctx.Err() != nil {
				return gone, true, err
			}
			if running[f.id] {
				continue
			}
			switch bad := h.remove(filepath.Join(k.dir, f.id), f); {
			case bad == nil:
				gone, over = append(gone, f.id), over-1
			case errors.Is(bad, keep.ErrRuns), errors.Is(bad, fs.ErrNotExist):
			default:
				err = errors.Join(err, bad)
			}
		}
	}
	return gone, false, err
}

// remove removes a folder, unless it is used.
func (h *shelf) remove(dir string, f folder) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	state, _, err := keep.Look(dir)
	if err != nil {
		return err
	}
	if h.held[f.id] > 0 || state == keep.Waiting && h.now().Sub(f.changed) < givenUpAfter {
		return keep.ErrRuns
	}
	return keep.Remove(dir)
}

// A folder is one on a shelf.
type folder struct {
	id      string
	changed time.Time
}

// oldest are the folders of a kind, those first that nothing was heard of for longest.
func (k shelfKind) oldest() (all []folder, err error) {
	entries, err := os.ReadDir(k.dir)
	for _, e := range entries {
		if !k.id.MatchString(e.Name()) {
			continue
		}
		if at, bad := keep.Changed(filepath.Join(k.dir, e.Name())); bad == nil {
			all = append(all, folder{e.Name(), at})
		}
	}
	slices.SortFunc(all, func(a, b folder) int { return a.changed.Compare(b.changed) })
	return all, err
}

// onList are the sessions that run as the list says.
func (s *Server) onList(ctx context.Context) (map[string]bool, error) {
	rows, err := read(ctx, s.list, func(ctx context.Context, l *store.List) ([]store.Session, error) {
		if err := l.TakeIn(ctx); err != nil {
			return nil, err
		}
		return l.Sessions(ctx)
	})
	running := map[string]bool{}
	for _, r := range rows {
		running[r.ID] = r.Status == store.Running
	}
	return running, err
}

// Tidy removes the folders of what has ended long ago and the keys that stood for it, now
// and then, until ctx ends.
func (s *Server) Tidy(ctx context.Context) {
	for {
		gone, more, err := s.shelf.tidy(ctx)
		err = errors.Join(err, s.tidyKeys(ctx))
		s.mu.Lock()
		for _, id := range gone {
			delete(s.active, id)
		}
		s.mu.Unlock()
		if log := s.cfg.Log; log != nil && len(gone) > 0 {
			log.InfoContext(ctx, "removed what was kept of sessions that have ended", slog.Int("folders", len(gone)))
		}
		if log := s.cfg.Log; log != nil && err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "what is kept of sessions that have ended cannot be removed", "why", err)
		}
		wait := tidyEvery
		if more {
			wait = tidyMore
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
