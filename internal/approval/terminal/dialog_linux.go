package terminal

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"ambit.dev/ambit/internal/approval"
)

const (
	drawEvery  = 250 * time.Millisecond // how often the time that is left is looked at
	quiet      = 300 * time.Millisecond // after drawing, and after a burst: nothing counts
	quietMost  = 3 * time.Second        // after drawing: it counts, whatever keeps arriving
	escapeWait = 50 * time.Millisecond  // for the rest of a sequence; Esc alone has none
)

// dialog is a question that has the terminal.
type dialog struct {
	f     *Front
	s     *screen
	sheet sheet
	sigs  *signals

	drawn, deaf time.Time // when it could first be read; until when nothing counts
	pending     []byte    // the beginning of a sequence
	settled     bool      // all was drawn a second time
	said        string    // by lines: what was written last
}

// run asks until there is a verdict.
func (d *dialog) run(ctx context.Context) (verdict, approval.Answer, error) {
	if err := d.draw(); err != nil {
		return asking, approval.Answer{}, err
	}
	d.drawn = time.Now()
	d.deaf = d.drawn.Add(quiet)
	typed := make(chan piece)
	failed := make(chan error, 1)
	_ = d.s.t.f.SetReadDeadline(time.Time{})
	reading, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		failed <- d.s.t.listen(reading, typed)
	}()
	defer func() {
		stop()
		_ = d.s.t.f.SetReadDeadline(time.Now())
		<-ended
	}()
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	for {
		var rest <-chan time.Time
		if len(d.pending) > 0 {
			rest = time.After(escapeWait)
		}
		v, err := asking, error(nil)
		select {
		case <-ctx.Done():
			return asking, approval.Answer{}, ctx.Err()
		case err := <-failed:
			return asking, approval.Answer{}, err
		case sig := <-d.sigs.ask:
			if sig == syscall.SIGTSTP {
				return suspend, approval.Answer{}, errSuspended
			}
			if sig != syscall.SIGWINCH {
				return asking, approval.Answer{}, errEnds
			}
			err = d.s.wipe()
		case <-d.sigs.continued: // a shell may have had the terminal meanwhile
			return asking, approval.Answer{}, errSuspended
		case in := <-typed:
			v = d.take(in.keys, in.came)
		case <-rest:
			v = d.takeRest()
		case <-tick.C:
			if !d.settled { // what was on its way when the program was stopped has arrived
				d.settled, d.s.shown = true, nil
			}
		}
		switch v {
		case answered:
			return v, d.sheet.answer(), nil
		case declined, interrupt:
			return v, refused(), nil
		case suspend:
			return v, approval.Answer{}, errStopKey
		case redraw:
			err = d.s.wipe()
		case asking:
		}
		if err = errors.Join(err, d.draw()); err != nil {
			return asking, approval.Answer{}, err
		}
	}
}

// A piece is what was typed and arrived together.
type piece struct {
	keys []byte
	came time.Time
}

// listen passes on what is typed, in the pieces in which it arrives.
func (t *tty) listen(ctx context.Context, typed chan<- piece) error {
	buf := make([]byte, 1024)
	for ctx.Err() == nil {
		n, err := t.f.Read(buf)
		came := time.Now() // it may be a while until it is looked at, and the question is drawn
		if err != nil {
			return fmt.Errorf("%w: %v", errGone, err)
		}
		select {
		case typed <- piece{append([]byte(nil), buf[:n]...), came}:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// take takes what was typed in one piece.
//
// Security: a person presses one key at a time. What arrives together was
// pasted, or sent by the terminal on behalf of a program, or typed ahead; it
// may move the choice and does nothing else. Whether it came too soon is a question
// of when it came, not of when there was time to look at it.
func (d *dialog) take(in []byte, now time.Time) verdict {
	if now.Before(d.deaf) {
		d.pending = nil
		if now.Sub(d.drawn) < quietMost {
			d.deaf = now.Add(quiet)
		}
		return asking
	}
	keys, rest := parseKeys(append(d.pending, in...))
	if d.pending = rest; len(rest) > 1024 {
		d.pending = nil // no sequence is as long as that
	}
	together := len(keys) > 1 || len(keys) == 1 && len(rest) > 0
	for _, k := range keys {
		if together && !k.moves() {
			d.pending, d.deaf = nil, now.Add(quiet)
			d.sheet.hint = hintTogether
			return asking
		}
	}
	for _, k := range keys {
		if v := d.sheet.press(k); v != asking {
			return v
		}
	}
	return asking
}

// takeRest takes what turned out to be no sequence.
func (d *dialog) takeRest() verdict {
	in := d.pending
	d.pending = nil
	if len(in) == 1 && in[0] == byte(keyEscape) {
		return d.sheet.press(keyEscape)
	}
	return asking
}

// draw shows the sheet as it is now.
func (d *dialog) draw() error {
	d.sheet.now = d.f.cfg.Now()
	d.sheet.waiting = int(d.f.queue.Load()) - 1
	w, h := d.s.t.size()
	if d.s.lines {
		return d.drawLines(w)
	}
	return d.s.draw(d.sheet.render(w, h), !d.f.cfg.Plain)
}

// drawLines writes the question once, and then what has changed.
func (d *dialog) drawLines(w int) error {
	text := d.sheet.state(w)
	if text == d.said {
		return nil
	}
	out := "\r\n" + text
	if d.said == "" {
		out = d.sheet.question(w) + text
	}
	d.said = text
	return d.s.t.write(out)
}
