package approval

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/capability"
)

// Who names who asks: "python3 (process 4711) of the pack org.example.notes". It
// is safe to print, as what the other methods return.
func (q Question) Who() string {
	who := capability.Printable(q.Program)
	if who == "" {
		who = "a program"
	}
	if q.PID != 0 {
		who += " (process " + strconv.Itoa(q.PID) + ")"
	}
	if q.Pack != "" {
		return who + " of the pack " + capability.Printable(q.Pack)
	}
	return who + " of a run without a pack"
}

// What says what it would be allowed to do: "read /home/u/notes.txt".
func (q Question) What() string { return q.Capability.Describe() }

// Why is what the manifest says it is for, "" if it says nothing. The words are
// the pack's own, so they stand in quotes.
func (q Question) Why() string {
	if q.Reason == "" {
		return ""
	}
	return `"` + capability.Printable(q.Reason) + `"`
}

// Warning says which secrets it would reach, "" if none is known.
func (q Question) Warning() string {
	if q.Sensitive == "" {
		return ""
	}
	return "this reaches " + capability.Printable(q.Sensitive)
}

// Command is the command line of who asks. Words are set off so that a person
// sees where one ends; it is not meant to be run.
func (q Question) Command() string {
	words := make([]string, len(q.Argv))
	for i, w := range q.Argv {
		words[i] = capability.Printable(w)
		if w == "" || strings.ContainsAny(w, " \"'\\$`;&|<>(){}*?!#~\t\n") {
			words[i] = "'" + strings.ReplaceAll(words[i], "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// Shorten makes a text that was made printable at most width characters long.
// What is left out is in the middle: the end of a path says more than the rest
// of it, and a program must not be able to push it out of sight.
func Shorten(text string, width int) string {
	const cut = " … "
	n := utf8.RuneCountInString(text)
	keep := width - utf8.RuneCountInString(cut)
	if n <= width || keep < 2 {
		return text
	}
	runes := []rune(text)
	head := keep / 3
	return string(runes[:head]) + cut + string(runes[n-(keep-head):])
}
