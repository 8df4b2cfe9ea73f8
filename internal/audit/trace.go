package audit

import (
	"bytes"

	"ambit.dev/ambit/internal/core/trace"
)

// A record that belongs to a trace has it as the last field of its body, in one
// spelling: a traceparent as package trace makes it. No body has another field of
// that name, and in a text quotes are escaped, so that the end of a body tells.
const (
	traceName  = `"trace":"`
	traceEnd   = `"}`
	traceBytes = len(traceName) + trace.Length + len(traceEnd)
)

// HintTrace is what the line of every record of a trace has in it.
func HintTrace(id string) string { return traceName + "00-" + id + "-" }

// withTrace is a body with a trace at its end.
func withTrace(body []byte, p trace.Parent) []byte {
	all := make([]byte, 0, len(body)+traceBytes)
	all = append(all, body[:len(body)-1]...)
	if len(body) > len("{}") {
		all = append(all, ',')
	}
	return append(append(append(all, traceName...), p.String()...), traceEnd...)
}

// traceOf is the trace at the end of a body, and where what stands before it ends.
func traceOf(body []byte) (end int, p trace.Parent) {
	at := len(body) - traceBytes
	if at < 1 || !bytes.HasPrefix(body[at:], []byte(traceName)) || !bytes.HasSuffix(body, []byte(traceEnd)) {
		return len(body), p
	}
	text := string(body[at+len(traceName) : len(body)-len(traceEnd)])
	found, _ := trace.Parse(text)
	switch {
	case found.String() != text: // not as it is written here
	case body[at-1] == ',':
		return at - 1, found
	case body[at-1] == '{' && at == 1:
		return at, found
	}
	return len(body), p
}

// withoutTrace is a body as its type knows it.
func withoutTrace(body []byte) []byte {
	end, p := traceOf(body)
	if p.None() {
		return body
	}
	return append(bytes.Clone(body[:end]), '}')
}
