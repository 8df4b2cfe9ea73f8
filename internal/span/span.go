// Package span tells others what was done within a trace: it makes spans of records of
// the log, and sends them to whoever collects them, as OTLP over HTTP with JSON.
//
// It reads what is durable, and is on the way of nothing: whoever decides and records
// does not know of it. Invariants:
//
//   - Nobody waits for it: what does not fit into its queue is dropped, and counted
//     (TestBound).
//   - What a sandboxed program can name goes out as the value of an attribute, cut
//     (TestHostile); command lines, paths of requests and secrets do not go out (TestLeftOut).
//   - What is no trace, or is not sampled, does not go out (TestRecords).
//
// Layer: above audit; ambit-host and ambit-trace use it.
package span

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// A Kind is what a span is to the one that it is under, as OTLP numbers it.
type Kind int

// The kinds.
const (
	Internal Kind = 1
	Server   Kind = 2 // a call that was answered
	Client   Kind = 3 // something elsewhere was asked
)

// A Span is something that took from one moment to another.
type Span struct {
	Trace, ID, Parent string // hexadecimal
	State             string // tracestate
	Name              string // a word of Ambit's own
	Kind              Kind
	Start, End        time.Time
	Attributes        []Attribute
	Failed            string // why it did not come to what it was for; "": it did, or nobody says
}

// An Attribute is something that is said of a span: Text, or Number where Text is "".
type Attribute struct {
	Name   string // a word of Ambit's own
	Text   string
	Number int64
}

// IDOf is the id of the span of something that has a name: the same, whoever makes it.
func IDOf(what, name string) string {
	sum := sha256.Sum256([]byte("ambit " + what + "\x00" + name))
	return hex.EncodeToString(sum[:8])
}
