package terminal

import (
	"strings"
	"unicode"

	"ambit.dev/ambit/internal/core/capability"
)

// cut stands for what was left out of the middle of a text.
const cut = "…"

// rightToLeft reports whether a rune is of a script that is written from right
// to left. Some terminals turn such letters, and what stands beside them, around.
func rightToLeft(r rune) bool {
	const first = 0x590 // Hebrew, the first of them
	return r >= first && unicode.In(r, unicode.Adlam, unicode.Arabic, unicode.Hanifi_Rohingya, unicode.Hebrew, unicode.Mandaic,
		unicode.Mende_Kikakui, unicode.Nko, unicode.Samaritan, unicode.Syriac, unicode.Thaana, unicode.Yezidi)
}

// shown makes a text safe to draw beside others: printable, in the order in
// which it is written, without spaces that push the rest out of sight, without
// marks heaped on a letter so that they reach into the lines above and below.
func shown(text string) string {
	text = capability.Printable(text)
	var b strings.Builder
	marks, last := 0, ' '
	for i, r := range text {
		size := len(string(r))
		if unicode.Is(unicode.M, r) {
			marks++
		} else {
			marks = 0
		}
		switch {
		case r == ' ' && (last == ' ' || i+1 == len(text)), rightToLeft(r), marks > 2, marks > 0 && last == ' ':
			escape(&b, text[i:i+size])
		default:
			b.WriteString(text[i : i+size])
		}
		last = r
	}
	return b.String()
}

func escape(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	for _, c := range []byte(s) {
		b.WriteString(`\x` + hex[c>>4:c>>4+1] + hex[c&15:c&15+1])
	}
}

// columns is the most that a rune takes on any terminal. Some draw a letter
// wider than others; where it is not certain, two are counted, so that no text
// grows over the edge.
func columns(r rune) int {
	const plain = 0x530 // Latin, Greek, Cyrillic
	if r < plain || r == '…' {
		return 1
	}
	return 2
}

func width(text string) (n int) {
	for _, r := range text {
		n += columns(r)
	}
	return n
}

// fit makes a text at most limit columns wide. What is left out is in the
// middle: a program must not be able to push the end of a path out of sight.
func fit(text string, limit int) string {
	if width(text) <= limit {
		return text
	}
	if limit < 3 {
		return strings.Repeat(".", max(limit, 0))
	}
	room := limit - width(cut)
	head, tail := room/3, room-room/3
	runes := []rune(text)
	from, to := 0, len(runes)
	for n := 0; from < to && n+columns(runes[from]) <= head; from++ {
		n += columns(runes[from])
	}
	for n := 0; to > from && n+columns(runes[to-1]) <= tail; to-- {
		n += columns(runes[to-1])
	}
	return string(runes[:from]) + cut + string(runes[to:])
}

// wrap breaks a text into at most most lines of limit columns, shortening it in
// the middle if that is too few; most < 1 is as many as it takes.
func wrap(text string, limit, most int) (lines []string) {
	if most > 0 && width(text) > limit*most {
		// A wide rune that does not fit leaves a column empty on each line.
		text = fit(text, limit*most-(most-1))
	}
	var line strings.Builder
	n := 0
	for _, r := range text {
		if n+columns(r) > limit {
			lines = append(lines, line.String())
			line.Reset()
			n = 0
		}
		line.WriteRune(r)
		n += columns(r)
	}
	return append(lines, line.String())
}

// pad fills a text with spaces up to a width.
func pad(text string, to int) string {
	return text + strings.Repeat(" ", max(0, to-width(text)))
}
