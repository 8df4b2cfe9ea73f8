package terminal

import (
	"slices"
	"time"

	"ambit.dev/ambit/internal/approval"
)

// sheet is a question on its way to an answer: what is chosen, and what is
// shown. It is a plain value without a terminal; who holds it sets now, left
// and waiting.
type sheet struct {
	q       approval.Question
	texts   texts
	now     time.Time
	waiting int // more questions

	choice, at, term int  // of choices, of the offers, of terms
	chosen           bool // somebody has chosen, with a key
	confirming       bool // yes has to be typed
	typed            string
	hint             string
	full             bool // all of it is shown
	from             int  // first line of that
	small            bool // the terminal has no room for the question
}

// texts are those of a question, made safe to draw.
type texts struct {
	id, who, whom, command, what, careful, because string
	offers, scopes                                 []string // in words; the capabilities alone
}

func newSheet(q approval.Question) sheet {
	t := texts{
		id: shown(q.ID), who: shown(q.Who()), whom: "commands run without a pack", command: shown(q.Command()),
		what: shown(q.What()), careful: shown(q.Warning()), because: shown(q.Why()),
	}
	if q.Pack != "" {
		t.whom = "the pack " + shown(q.Pack)
	}
	switch {
	case t.because != "":
	case q.Pack == "":
		t.because = "no manifest: this run was not declared"
	default:
		t.because = "the manifest gives no reason"
	}
	for _, o := range q.Offers {
		scope := shown(o.Capability.Display())
		words := shown(o.Words) + ": " + scope
		if o.Broad || o.Capability.Broad() {
			words += " (reaches far)"
		}
		t.offers, t.scopes = append(t.offers, words), append(t.scopes, scope)
	}
	return sheet{q: q, texts: t}
}

// verdict is what came of a key.
type verdict uint8

const (
	asking    verdict = iota // goes on
	answered                 // sheet.answer
	declined                 // no
	interrupt                // no, and the program is interrupted
	suspend                  // the job is stopped for a while
	redraw                   // the screen may be spoilt
)

const (
	hintSmall    = "too small to show the question"
	hintChoose   = "choose first: arrows or a letter, then Enter"
	hintHow      = "for how long? o once, s session, u until, a always"
	hintYes      = "type yes, then Enter; Esc goes back"
	hintTogether = "keys that arrive together do not count; one at a time"
)

func (s *sheet) offer() approval.Offer { return s.q.Offers[s.at] }

// press takes a key.
//
// Security: nothing but a choice by key and a separate Enter gives anything,
// and where it reaches far, "yes" typed out between them. What cannot be shown
// cannot be allowed.
func (s *sheet) press(k key) verdict {
	s.hint = ""
	switch k {
	case keyInterrupt:
		return interrupt
	case keySuspend:
		return suspend
	case keyRefresh:
		return redraw
	default:
	}
	switch {
	case s.full:
		s.read(k)
		return asking
	case s.confirming:
		return s.confirm(k)
	case k == keyEscape || k == 'n':
		return declined
	case s.small:
		s.hint = hintSmall
		return asking
	}
	switch k {
	case keyUp, keyLeft:
		s.choose(s.choice - 1)
	case keyDown, keyRight:
		s.choose(s.choice + 1)
	case keyTab:
		s.at = (s.at + 1) % len(s.q.Offers)
	case 'f':
		s.full, s.from = true, 0
	case 'y':
		s.hint = hintHow
	case keyEnter:
		return s.enter()
	default:
		s.letter(k)
	}
	return asking
}

// letter takes a key that names a choice or an offer.
func (s *sheet) letter(k key) {
	if n := int(k - '1'); k >= '1' && n < len(s.q.Offers) {
		s.at = n
		return
	}
	n := slices.IndexFunc(choices, func(c choice) bool { return c.key == k })
	if n < 0 {
		return
	}
	if s.choice == n && k == 'u' {
		s.term = (s.term + 1) % len(terms)
	}
	s.choose(n)
}

func (s *sheet) choose(n int) {
	s.choice, s.chosen = min(max(n, 0), len(choices)-1), true
}

func (s *sheet) enter() verdict {
	switch {
	case !s.chosen:
		s.hint = hintChoose
		return asking
	case s.strong():
		s.confirming, s.typed, s.hint = true, "", hintYes
		return asking
	}
	return answered
}

// confirm takes a key of the word that has to be typed.
func (s *sheet) confirm(k key) verdict {
	const word = "yes"
	switch {
	case k == keyEscape:
		s.confirming = false
	case k == keyEnter && s.typed == word && !s.small:
		return answered
	case k == keyEnter:
		s.typed, s.hint = "", hintYes
	case k == keyBackspace && s.typed != "":
		s.typed = s.typed[:len(s.typed)-1]
	case k >= 'a' && k <= 'z' && len(s.typed) < 2*len(word):
		s.typed += string(rune(k))
	}
	return asking
}

// read takes a key while all of the question is shown.
func (s *sheet) read(k key) {
	switch k {
	case keyUp, 'k':
		s.from--
	case keyDown, 'j', keyEnter:
		s.from++
	case ' ', keyRight:
		s.from += 8
	case 'b', keyLeft:
		s.from -= 8
	case 'f', 'q', keyEscape:
		s.full = false
	default:
	}
}
