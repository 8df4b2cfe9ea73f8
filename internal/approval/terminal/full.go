package terminal

import (
	"slices"
	"strconv"

	"ambit.dev/ambit/internal/core/capability"
)

// renderFull shows everything that is known, nothing left out, a screen at a
// time.
func (s *sheet) renderFull(w, h int) []row {
	all := s.everything(max(w, indent+2))
	page := max(h-1, 1)
	s.from = min(max(s.from, 0), max(len(all)-page, 0))
	rows := all[s.from:min(s.from+page, len(all))]
	foot := "All of it, to line " + strconv.Itoa(s.from+len(rows)) + " of " + strconv.Itoa(len(all)) + ". Space, arrows; f or Esc: back"
	return append(slices.Clip(rows), row{fit(foot, w), marked})
}

func (s *sheet) everything(w int) (rows []row) {
	add := func(name, text string) {
		if text != "" {
			rows = append(rows, field(name, text, w, 0, plain)...)
		}
	}
	q, t := s.q, s.texts
	add("Question", t.id)
	add("Who", t.who)
	add("Running", t.command)
	add("Wants to", t.what)
	add("Exactly", shown(q.Capability.Display()))
	// Alone on its lines, a name may be read as it is meant to be.
	if as := capability.Printable(q.Capability.String()); as != shown(as) {
		add("Written", as)
	}
	add("Careful", t.careful)
	add("Because", t.because)
	add("Digest", shown(q.Digest))
	add("Session", shown(q.Session))
	add("For", shown(q.Principal))
	for i, words := range t.offers {
		add("What "+strconv.Itoa(i+1), words)
	}
	for i, c := range choices {
		as := *s
		as.choice = i
		add(c.short, as.stored())
	}
	return rows
}
