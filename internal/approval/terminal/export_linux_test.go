package terminal

import (
	"time"

	"ambit.dev/ambit/internal/approval"
)

// Counts reports whether a no that came at a time answers a question that was drawn
// at another.
func Counts(q approval.Question, drawn, came time.Time) bool {
	d := &dialog{sheet: newSheet(q), drawn: drawn, deaf: drawn.Add(quiet)}
	return d.take([]byte("n"), came) == declined
}
