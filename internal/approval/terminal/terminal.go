// Package terminal asks on the controlling terminal, which the program that is
// asked about uses too.
//
// There is no relay between the two: the program has the terminal itself, at
// full speed, and the front takes it for the length of a question. It has the
// program stopped, remembers how the terminal is set, draws the question on a
// screen of its own, reads one key at a time, and puts everything back. A
// full-screen program is told to draw itself again.
//
// Invariants:
//
//   - What was typed before the question could be read does not answer it, nor
//     what arrives in one piece with something else: a paste, or what a program
//     made the terminal send.
//   - A yes is at least two keys, a choice and Enter; where it reaches far,
//     "yes" is typed between them.
//   - What comes from the program is escaped, in one direction, and within its
//     own lines. The end of a long text is always shown.
//   - However a question ends, the terminal is as it was: an answer, an answer
//     elsewhere, a signal, a panic. What goes wrong is an error, never a yes.
//
// What it does not do: keep a program from drawing something that looks like a
// question when there is none. Answering that gives nothing to anybody; see
// THREATMODEL.md.
//
// Layer: a front beneath approval.
package terminal

import (
	"sync/atomic"
	"time"
)

// name stands in answers.
const name = "terminal"

// Config is what a Front is made of.
type Config struct {
	Path string // of the terminal; "": /dev/tty, the controlling one

	// Pause stops every process that uses the terminal, and whatever ambit itself
	// writes to it; resume lets all go on. It is called for each question. An
	// error ends the question. Parents are stopped before their children and go
	// on after them: a shell would else see a job of its own stop.
	Pause func() (resume func(), err error)

	// Redraw tells the programs inside that the size of the screen may have
	// changed (SIGWINCH), upon which they draw themselves again.
	Redraw func()

	// Interrupt does to the program what the interrupt key of the terminal does.
	Interrupt func()

	Lines bool // ask by lines, for a terminal that cannot place text
	Plain bool // no emphasis; what is chosen is marked by a character
	Now   func() time.Time
}

// Front asks on a terminal, one question at a time. It is made by New and safe
// for concurrent use.
type Front struct {
	cfg   Config
	turn  chan struct{} // holds one value while a question has the terminal
	queue atomic.Int32  // questions that have the terminal or wait for it
}

// New returns a front.
func New(cfg Config) *Front {
	if cfg.Path == "" {
		cfg.Path = "/dev/tty"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Front{cfg: cfg, turn: make(chan struct{}, 1)}
}

// Name returns "terminal".
func (f *Front) Name() string { return name }
