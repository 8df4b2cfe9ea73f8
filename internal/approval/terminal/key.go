package terminal

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// key is a rune that was typed, or one of the keys below.
type key rune

// Keys that are no printing rune. Control characters are themselves.
const (
	keyInterrupt key = 0x03 // Ctrl-C
	keyRefresh   key = 0x0c // Ctrl-L
	keyEnter     key = '\r'
	keyTab       key = '\t'
	keySuspend   key = 0x1a // Ctrl-Z
	keyEscape    key = 0x1b
	keyBackspace key = 0x7f

	keyUp    key = -1
	keyDown  key = -2
	keyRight key = -3
	keyLeft  key = -4
	keyOther key = -5 // something that is no answer: a function key, a report of the terminal
)

// moves reports whether a key only moves the choice.
func (k key) moves() bool { return k == keyTab || k <= keyUp && k >= keyLeft }

// parseKeys splits what a terminal sent into keys. rest is the beginning of a
// sequence whose end has not arrived. Every sequence is taken as a whole,
// whatever stands in it: a terminal also sends what a program asks it to send,
// its title for one.
func parseKeys(in []byte) (keys []key, rest []byte) {
	for len(in) > 0 {
		k, n := parseKey(in)
		if n == 0 {
			return keys, in
		}
		keys = append(keys, k)
		in = in[n:]
	}
	return keys, nil
}

// parseKey reads one key; n is 0 if it is not there as a whole.
func parseKey(in []byte) (k key, n int) {
	switch c := in[0]; {
	case c == 0x1b:
		return parseSequence(in)
	case c == '\n':
		return keyEnter, 1
	case c == 0x08:
		return keyBackspace, 1
	case c < utf8.RuneSelf:
		return key(c), 1
	}
	if !utf8.FullRune(in) {
		return 0, 0
	}
	r, n := utf8.DecodeRune(in)
	if r == utf8.RuneError || r < 0xa0 { // C1: sequences in one byte
		return keyOther, n
	}
	return key(r), n
}

// parseSequence reads what begins with ESC.
func parseSequence(in []byte) (key, int) {
	if len(in) == 1 {
		return 0, 0
	}
	switch in[1] {
	case '[':
		return parseControl(in)
	case 'O': // single shift: cursor and keypad keys
		if len(in) < 3 {
			return 0, 0
		}
		if in[2] == 'M' {
			return keyEnter, 3
		}
		return cursor(in[2]), 3
	case ']', 'P', '_', '^', 'X': // strings, up to BEL or ESC \
		for i := 2; i < len(in); i++ {
			if in[i] == 0x07 {
				return keyOther, i + 1
			}
			if in[i] == '\\' && in[i-1] == 0x1b {
				return keyOther, i + 1
			}
		}
		return 0, 0
	case 0x1b: // Esc, and then something else
		return keyEscape, 1
	}
	if !utf8.FullRune(in[1:]) {
		return 0, 0
	}
	_, n := utf8.DecodeRune(in[1:]) // Alt and a key
	return keyOther, 1 + n
}

// parseControl reads a control sequence, ECMA-48 5.4: parameters, intermediate
// bytes, a final byte.
func parseControl(in []byte) (key, int) {
	i := 2
	for i < len(in) && in[i] >= 0x20 && in[i] <= 0x3f {
		i++
	}
	if i == len(in) {
		return 0, 0
	}
	final, args := in[i], string(in[2:i])
	switch {
	case final == 'M' && args == "": // the mouse, in the old way: three bytes follow
		if len(in) < i+4 {
			return 0, 0
		}
		return keyOther, i + 4
	case final == 'u' || final == '~' && strings.HasPrefix(args, "27;"):
		return modified(args, final), i + 1
	case strings.ContainsAny(args, "<=>?") || strings.Contains(args, ":3"): // a report, or a key that was let go
		return keyOther, i + 1
	}
	return cursor(final), i + 1
}

func cursor(final byte) key {
	switch final {
	case 'A':
		return keyUp
	case 'B':
		return keyDown
	case 'C':
		return keyRight
	case 'D':
		return keyLeft
	}
	return keyOther
}

// modified reads a key that is sent by its code: CSI code;modifiers u, as in
// the protocol of kitty, or CSI 27;modifiers;code~, as xterm does. A program
// may have switched either on.
func modified(args string, final byte) key {
	part := strings.Split(args, ";")
	if final == '~' && len(part) == 3 {
		part = []string{part[2], part[1]}
	}
	mods, event := "1", "1"
	if len(part) > 1 {
		mods, event, _ = strings.Cut(part[1], ":")
	}
	text, _, _ := strings.Cut(part[0], ":")
	code, err := strconv.ParseUint(text, 10, 21)
	held, bad := strconv.ParseUint(mods, 10, 16)
	if err != nil || mods != "" && bad != nil || event == "3" {
		return keyOther
	}
	const shift, control, locks = 1, 4, 64 | 128
	switch held = (max(held, 1) - 1) &^ locks; {
	case held == control && code >= 'a' && code <= 'z':
		return key(code - 'a' + 1)
	case held&^shift != 0:
		return keyOther
	case code == 8:
		return keyBackspace
	case code < ' ' || code >= ' ' && code < 0x7f || code == 0x7f:
		return key(code)
	}
	return keyOther
}
