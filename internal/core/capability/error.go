package capability

import (
	"fmt"
	"strconv"
)

// SyntaxError says why a text is no capability.
type SyntaxError struct {
	Text   string // what was to be parsed
	Offset int    // byte of Text at which it stopped to make sense
	Msg    string // what was expected there
}

// maxQuoted bounds how much of a refused text an error repeats.
const maxQuoted = 160

// Error names the text, the place and what was expected.
func (e *SyntaxError) Error() string {
	text, cut := e.Text, ""
	if len(text) > maxQuoted {
		text, cut = text[:maxQuoted], "…"
	}
	return "capability " + strconv.Quote(text) + cut + ": at byte " + strconv.Itoa(e.Offset) + ": " + e.Msg
}

// fault is a SyntaxError on its way up: its offset counts from the start of the
// part that was being read, and each caller adds where that part began.
type fault struct {
	offset int
	msg    string
}

func faultf(offset int, format string, args ...any) *fault {
	return &fault{offset, fmt.Sprintf(format, args...)}
}
