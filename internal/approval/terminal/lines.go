package terminal

import "strings"

// lineWidth is the least that text is broken to where nothing is placed: a
// narrower terminal breaks it again.
const lineWidth = smallest

// question is a sheet for a terminal that only takes lines.
func (s *sheet) question(w int) string {
	w = max(w-1, lineWidth)
	g := generosity{lines: 6, offers: true, choices: true, command: true}
	rows := []row{{text: "ambit asks: may this program do that?"}}
	rows = append(rows, s.facts(w, g)...)
	rows = append(rows, s.offers(w, g)...)
	rows = append(rows, s.choices(w, g)...)
	rows = append(rows,
		row{text: fit("It waits until "+s.q.Expires.Format("15:04:05")+". Or elsewhere: ambit approve "+s.texts.id, w)},
		row{text: fit("A letter chooses, Enter answers. Tab: what. f: all of it. n or Esc: no", w)})
	return joined(rows)
}

// state is what has been chosen by now, for the same.
func (s *sheet) state(w int) string {
	w = max(w-1, lineWidth)
	switch {
	case s.full:
		s.full = false // it scrolls by itself
		return joined(s.everything(w))
	case s.confirming:
		return joined([]row{{text: fit("This reaches far. Type yes, then Enter: "+s.typed, w)}})
	case s.hint != "":
		return joined([]row{{text: fit(s.hint, w)}})
	}
	rows := field("Answer", choices[s.choice].words, w, 0, plain)
	rows = append(rows, field("What", s.texts.offers[s.at], w, 0, plain)...)
	return joined(append(rows, field("Stored", s.stored(), w, 0, plain)...))
}

func joined(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(r.text + "\r\n")
	}
	return b.String()
}
