package terminal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What is sent to a terminal: ECMA-48 and the control sequences of xterm, which
// all terminals in use know.
const (
	enterAlternate = "\x1b[?1049h" // keeps the cursor and all that is shown
	leaveAlternate = "\x1b[?1049l"
	askAlternate   = "\x1b[?1049$p" // DECRQM; answered by DECRPM, below
	saveCursor     = "\x1b7"        // with emphasis, character sets, origin
	restoreCursor  = "\x1b8"
	clearScreen    = "\x1b[H\x1b[2J"
	clearLine      = "\x1b[K"

	// neutral undoes what a program may have left behind, so that letters are
	// letters and places are places: character sets, shift, origin, insertion,
	// emphasis. What of it matters is kept with the cursor.
	neutral = "\x1b(B\x0f\x1b[?6l\x1b[4l\x1b[0m"
)

// probeTime is how long a terminal has to say which screen it shows.
const probeTime = 150 * time.Millisecond

// screen is a terminal that was taken to draw on.
type screen struct {
	t     *tty
	saved *unix.Termios
	front int  // process group to give the foreground back to; 0: it was ours
	lines bool // by lines: nothing is placed
	over  bool // the program draws on the whole screen and has to do so again
	shown []string
}

// take takes the terminal. give gives it back, also after an error of take.
//
// Security: from here on the modes of the terminal are ours, and what was typed
// before is gone.
func (t *tty) take(lines bool) (s *screen, err error) {
	front, err := t.group()
	if err != nil {
		return nil, err
	}
	s = &screen{t: t, lines: lines}
	if own := unix.Getpgrp(); front != own {
		if err := t.setGroup(own); err != nil {
			return nil, err
		}
		s.front = front
	}
	saved, err := t.modes()
	if err == nil {
		err = t.setModes(raw(*saved))
	}
	if err != nil {
		s.give()
		return nil, err
	}
	s.saved = saved
	if err := errors.Join(t.discard(), s.enter()); err != nil {
		s.give()
		return nil, err
	}
	return s, nil
}

// enter goes to a screen of our own.
func (s *screen) enter() error {
	if s.lines {
		return s.t.write("\r\n")
	}
	alternate, known := s.alternate()
	canonical := s.saved.Lflag&unix.ICANON != 0
	switch {
	case known && alternate:
		s.over = true
		return s.t.write(saveCursor + neutral + clearScreen)
	case !known && !canonical:
		// Perhaps a full-screen program, perhaps a line editor. Nothing that is
		// shown is lost if it is scrolled away first.
		s.over = true
		_, h := s.t.size()
		return s.t.write(saveCursor + neutral + fmt.Sprintf("\x1b[%d;1H", h) + strings.Repeat("\n", h) + clearScreen)
	}
	return s.t.write(enterAlternate + neutral + clearScreen)
}

// alternate asks the terminal whether it shows its second screen, on which
// full-screen programs draw. There is no way to go there and come back that
// works from both. Terminals that do not answer are not asked to guess.
func (s *screen) alternate() (yes, known bool) {
	if err := s.t.write(askAlternate); err != nil {
		return false, false
	}
	var got []byte
	buf := make([]byte, 256)
	for until := time.Now().Add(probeTime); ; {
		n, err := s.t.read(buf, until)
		if got = append(got, buf[:n]...); len(got) > 4096 {
			return false, false
		}
		_, rest, ok := bytes.Cut(got, []byte("\x1b[?1049;"))
		if ok && len(rest) >= 3 && string(rest[1:3]) == "$y" {
			set := rest[0] == '1' || rest[0] == '3'
			return set, set || rest[0] == '2' || rest[0] == '4'
		}
		if err != nil {
			return false, false
		}
	}
}

// give puts the terminal back as it was. It goes on whatever fails: the
// terminal may be gone.
func (s *screen) give() {
	if front, err := s.t.group(); err == nil && front != unix.Getpgrp() && s.saved != nil {
		return // a shell has taken it from us, with modes of its own
	}
	if s.saved != nil {
		switch {
		case s.lines:
			_ = s.t.write("\r\n")
		case s.over:
			_ = s.t.write("\x1b[0m" + clearScreen + restoreCursor)
		default:
			_ = s.t.write(leaveAlternate)
		}
		_ = s.t.setModes(s.saved)
		_ = s.t.discard() // a key too many is not for the program
	}
	if s.front != 0 {
		_ = s.t.setGroup(s.front)
	}
}

// draw shows rows, and writes only those that have changed.
func (s *screen) draw(rows []row, emphasis bool) error {
	_, h := s.t.size()
	var b strings.Builder
	for i := range h {
		line := ""
		if i < len(rows) {
			line = rows[i].paint(emphasis)
		}
		if i < len(s.shown) && s.shown[i] == line || i >= len(s.shown) && line == "" {
			continue
		}
		// First clear, then write: in the last column the cursor stays on what was written.
		fmt.Fprintf(&b, "\x1b[%d;1H%s%s", i+1, clearLine, line)
		for len(s.shown) <= i {
			s.shown = append(s.shown, "")
		}
		s.shown[i] = line
	}
	if b.Len() == 0 {
		return nil
	}
	return s.t.write(b.String())
}

// paint is a row for the terminal.
func (r row) paint(emphasis bool) string {
	switch {
	case !emphasis || r.look == plain:
		return r.text
	case r.look == strong:
		return "\x1b[1m" + r.text + "\x1b[0m"
	default:
		return "\x1b[7m" + r.text + "\x1b[0m"
	}
}

// wipe forgets what is shown, so that all of it is drawn again.
func (s *screen) wipe() error {
	s.shown = nil
	if s.lines {
		return nil
	}
	return s.t.write(neutral + clearScreen)
}
