package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/grant"
)

// row is a line of the screen.
type row struct {
	text string
	look look
}

// look is how a line stands out. There is no colour: a program can make any
// colour of the terminal look like the background.
type look uint8

const (
	plain look = iota
	strong
	marked
)

// render draws a sheet for a terminal of w columns and h rows: as amply as there
// is room for. It notes whether there is room at all.
func (s *sheet) render(w, h int) []row {
	if s.full {
		return s.renderFull(w, h)
	}
	for _, g := range generosities {
		if w < smallest {
			break
		}
		if rows := s.compose(w, g); len(rows) <= h {
			s.small = false
			return rows
		}
	}
	s.small = true
	return s.renderSmall(w, h)
}

// generosity is how much room a layout takes.
type generosity struct {
	lines   int  // at most, of a text that may be long
	gaps    bool // empty lines
	offers  bool // each on a line of its own
	choices bool // likewise
	command bool // the command line is shown
}

var generosities = []generosity{
	{lines: 6, gaps: true, offers: true, choices: true, command: true},
	{lines: 3, gaps: true, offers: true, choices: true, command: true},
	{lines: 2, offers: true, choices: true, command: true},
	{lines: 1, offers: true, choices: true, command: true},
	{lines: 1, choices: true, command: true},
	{lines: 1, command: true},
	{lines: 1},
}

// smallest is the narrowest screen that a question is drawn on.
const smallest = 40

// compose draws a question with a generosity.
func (s *sheet) compose(w int, g generosity) (rows []row) {
	add := func(l look, text string) { rows = append(rows, row{fit(text, w), l}) }
	gap := func() {
		if g.gaps {
			rows = append(rows, row{})
		}
	}
	add(strong, s.heading(w))
	gap()
	rows = append(rows, s.facts(w, g)...)
	gap()
	rows = append(rows, s.offers(w, g)...)
	gap()
	rows = append(rows, s.choices(w, g)...)
	gap()
	rows = append(rows, field("Stored", s.stored(), w, max(g.lines, 1), plain)...)
	gap()
	foot := "Or elsewhere: ambit approve " + s.texts.id
	switch {
	case s.confirming:
		add(marked, "This reaches far. Type yes, then Enter: "+s.typed+"_")
	case s.hint != "":
		add(strong, s.hint)
	case w >= 76:
		add(plain, "Arrows or a letter choose, Enter answers. Tab: what. f: all of it. Esc: no")
	default:
		add(plain, "Arrows, Enter. Tab what, f full, Esc no")
	}
	add(plain, foot)
	return rows
}

// heading says whose question it is, how long is left and how many wait.
func (s *sheet) heading(w int) string {
	right := left(s.q.Expires.Sub(s.now))
	if s.waiting > 0 {
		right += ", " + strconv.Itoa(s.waiting) + " more wait"
		if w < 60 {
			right = left(s.q.Expires.Sub(s.now)) + " +" + strconv.Itoa(s.waiting)
		}
	}
	title := "ambit: may it?"
	if w >= 60 {
		title = "ambit asks: may this program do that?"
	}
	return pad(title, w-width(right)) + right
}

// left says how long is left.
func left(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	if d >= time.Hour {
		return fmt.Sprintf("%dh%02dm left", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dm%02ds left", d/time.Minute, d%time.Minute/time.Second)
}

// indent is where the text of a field begins.
const indent = 9

// field is a name and a text. The text's further lines begin with a bar, so that
// nothing in it can look like the next field.
func field(name, text string, w, most int, l look) (rows []row) {
	for i, line := range wrap(text, w-indent, most) {
		lead := pad(name, indent)
		if i > 0 {
			lead = pad("", indent-2) + "| "
		}
		rows = append(rows, row{lead + line, l})
	}
	return rows
}

// facts say who wants what, and why.
func (s *sheet) facts(w int, g generosity) (rows []row) {
	add := func(name, text string, l look) { rows = append(rows, field(name, text, w, g.lines, l)...) }
	add("Who", s.texts.who, plain)
	if g.command {
		add("Running", s.texts.command, plain)
	}
	add("Wants to", s.texts.what, strong)
	if s.texts.careful != "" {
		add("Careful", s.texts.careful, strong)
	}
	add("Because", s.texts.because, plain)
	return rows
}

// offers say what may be given.
func (s *sheet) offers(w int, g generosity) (rows []row) {
	if !g.offers {
		of := ""
		if len(s.q.Offers) > 1 {
			of = fmt.Sprintf(" (Tab: %d of %d)", s.at+1, len(s.q.Offers))
		}
		return []row{{pad("What", indent) + fit(s.texts.offers[s.at], w-indent-width(of)) + of, plain}}
	}
	for i := range s.q.Offers {
		lead, r := pad("", indent), row{}
		if i == 0 {
			lead = pad("What", indent)
		}
		point := "  "
		if i == s.at {
			point, r.look = "> ", marked
		}
		r.text = lead + point + fit(strconv.Itoa(i+1)+"  "+s.texts.offers[i], w-indent-2)
		rows = append(rows, r)
	}
	return rows
}

// choices say for how long.
func (s *sheet) choices(w int, g generosity) (rows []row) {
	if !g.choices {
		var words []string
		for i, c := range choices {
			text := c.short
			if i == s.choice {
				text = "[" + text + "]"
			}
			words = append(words, text)
		}
		return []row{{strings.Join(words, " "), marked}}
	}
	for i, c := range choices {
		lead, r := pad("", indent), row{}
		if i == 0 {
			lead = pad("Answer", indent)
		}
		point := "  "
		if i == s.choice {
			point, r.look = "> ", marked
		}
		text := string(rune(c.key)) + "  " + c.words
		if c.span == grant.Until {
			text += " " + s.until().Format("Mon 2 Jan 15:04") + " (" + terms[s.term].words + "; u: later)"
		}
		r.text = lead + point + fit(text, w-indent-2)
		rows = append(rows, r)
	}
	return rows
}

// renderSmall is all that a terminal that is too small shows.
func (s *sheet) renderSmall(w, h int) (rows []row) {
	text := "ambit: " + hintSmall + ". Esc: no. Or: ambit approve " + s.texts.id
	for _, line := range wrap(text, max(w, 2), max(h, 1)) {
		rows = append(rows, row{line, strong})
	}
	return rows
}
