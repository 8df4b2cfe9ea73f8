// Package trace spells to which trace something belongs that was done: the W3C Trace
// Context (traceparent and tracestate), as it comes with requests, in the environment
// of commands, and as it stands in the log.
//
// Invariant: a Parent is spelled as version 00 is, with an id of a trace and one of a
// span, or it is none (TestParse, FuzzParse).
//
// Layer: part of core; it imports nothing of ours.
package trace

import (
	"fmt"
	"strings"
)

// Lengths of what is spelled.
const (
	Length    = 55 // of a Parent
	maxState  = 512
	maxVendor = 32 // members of a state
)

// A Parent is a trace, and the span in it under which something is done. The zero value
// is none.
type Parent struct{ text string }

// Make is the parent with these ids; none where one of them is zero.
func Make(trace [16]byte, span [8]byte, sampled bool) Parent {
	flags := "00"
	if sampled {
		flags = "01"
	}
	p, _ := Parse(fmt.Sprintf("00-%x-%x-%s", trace, span, flags))
	return p
}

// Parse reads a traceparent. What a later version adds behind the four fields is left
// out, and flags that this one does not know are.
func Parse(text string) (Parent, bool) {
	if len(text) < Length || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return Parent{}, false
	}
	version, id, span, flags := text[:2], text[3:35], text[36:52], text[53:Length]
	switch {
	case !isHex(version) || !IsTrace(id) || !IsSpan(span) || !isHex(flags), version == "ff":
		return Parent{}, false
	case len(text) > Length && (version == "00" || text[Length] != '-'):
		return Parent{}, false
	}
	bits := strings.IndexByte(hexDigits, flags[1]) & (sampled | random)
	return Parent{"00-" + id + "-" + span + "-0" + hexDigits[bits:bits+1]}, true
}

// The flags, of which both are in the last digit.
const (
	sampled = 1
	random  = 2
)

const hexDigits = "0123456789abcdef"

// IsTrace reports whether a text is the id of a trace.
func IsTrace(text string) bool { return isID(text, 32) }

// IsSpan reports whether a text is the id of a span.
func IsSpan(text string) bool { return isID(text, 16) }

func isID(text string, length int) bool {
	return len(text) == length && isHex(text) && strings.Trim(text, "0") != ""
}

func isHex(text string) bool { return strings.Trim(text, hexDigits) == "" }

// Under is a span of the same trace; none where it is zero, or there is no trace.
func (p Parent) Under(span [8]byte) Parent {
	if p.None() {
		return p
	}
	under, _ := Parse(fmt.Sprintf("%s%x%s", p.text[:36], span, p.text[52:]))
	return under
}

// String is the traceparent; "" for none.
func (p Parent) String() string { return p.text }

// None reports whether there is no trace.
func (p Parent) None() bool { return p.text == "" }

// Trace is the id of the trace; "" for none.
func (p Parent) Trace() string {
	if p.None() {
		return ""
	}
	return p.text[3:35]
}

// Span is the id of the span; "" for none.
func (p Parent) Span() string {
	if p.None() {
		return ""
	}
	return p.text[36:52]
}

// Sampled reports whether whoever began the trace keeps it.
func (p Parent) Sampled() bool {
	return !p.None() && strings.IndexByte("13", p.text[Length-1]) >= 0
}

// State is a tracestate that was checked, or "" for one that is not as it has to be: it
// is passed on as it came, or not at all. Of several headers it is their values, joined
// by commas.
func State(text string) string {
	if len(text) > maxState {
		return ""
	}
	seen := map[string]bool{}
	for member := range strings.SplitSeq(text, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue
		}
		key, value, ok := strings.Cut(member, "=")
		if !ok || !isKey(key) || !isValue(value) || seen[key] || len(seen) == maxVendor {
			return ""
		}
		seen[key] = true
	}
	if len(seen) == 0 {
		return ""
	}
	return text
}

// isKey: a lower-case letter or a digit, then those and _ - * /, at most 256, and one @
// between a tenant and a system.
func isKey(key string) bool {
	if key == "" || len(key) > 256 || strings.Count(key, "@") > 1 {
		return false
	}
	if strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789_-*/@") != "" || strings.IndexByte("_-*/@", key[0]) >= 0 {
		return false
	}
	return key[len(key)-1] != '@'
}

// isValue: printable ASCII without comma and equals sign, at most 256, not ending in a
// space.
func isValue(value string) bool {
	if value == "" || len(value) > 256 || value[len(value)-1] == ' ' {
		return false
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}
