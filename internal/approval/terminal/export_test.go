package terminal

import (
	"strings"
	"time"

	"ambit.dev/ambit/internal/approval"
)

// Sheet is a question with the keys that were pressed, for tests without a
// terminal.
type Sheet struct{ s sheet }

// NewSheet returns the sheet of a question at a time, while others wait.
func NewSheet(q approval.Question, now time.Time, waiting int) *Sheet {
	s := newSheet(q)
	s.now, s.waiting = now, waiting
	return &Sheet{s}
}

// Press presses keys and says what came of the last one.
func (s *Sheet) Press(keys ...rune) string {
	v := asking
	for _, k := range keys {
		v = s.s.press(key(k))
	}
	return [...]string{"asking", "answered", "declined", "interrupt", "suspend", "redraw"}[v]
}

// Answer is the answer that is chosen.
func (s *Sheet) Answer() approval.Answer { return s.s.answer() }

// Keys for Press.
const (
	Up, Down, Right, Left = rune(keyUp), rune(keyDown), rune(keyRight), rune(keyLeft)
	Enter, Tab, Escape    = rune(keyEnter), rune(keyTab), rune(keyEscape)
	Interrupt, Suspend    = rune(keyInterrupt), rune(keySuspend)
)

// Render draws it. Each line begins with how it stands out.
func (s *Sheet) Render(w, h int) string {
	var b strings.Builder
	for _, r := range s.s.render(w, h) {
		b.WriteString(map[look]string{plain: "  |", strong: "* |", marked: "# |"}[r.look] + r.text + "\n")
	}
	return b.String()
}

// Lines is what is written where nothing is placed.
func (s *Sheet) Lines(w int) string {
	return strings.ReplaceAll(s.s.question(w)+s.s.state(w), "\r\n", "\n")
}

// ParseKeys splits what a terminal sent.
func ParseKeys(in string) (keys []rune, rest string) {
	ks, r := parseKeys([]byte(in))
	for _, k := range ks {
		keys = append(keys, rune(k))
	}
	return keys, string(r)
}

// Shown, Fit, Wrap, Width are the text functions.
var (
	Shown = shown
	Fit   = fit
	Wrap  = wrap
	Width = width
)

// Other is a key that is no answer.
const Other = rune(keyOther)
