package binding

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of a value. What is shorter could not be told from other text where an
// answer is searched for it; what is longer fits no header.
const (
	MinValue = 8
	MaxValue = 4096
)

const redacted = "REDACTED"

// Value is a secret. Printed or encoded in any way it is "REDACTED". The zero
// value is no secret.
type Value struct{ text string }

// NewValue makes one of a text, of one line or several. The error says nothing of
// it.
func NewValue(text string) (Value, error) {
	switch {
	case len(text) < MinValue:
		return Value{}, fmt.Errorf("the value is shorter than %d bytes: too short to be found where a server repeats it", MinValue)
	case len(text) > MaxValue:
		return Value{}, fmt.Errorf("the value is longer than %d bytes", MaxValue)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f }):
		return Value{}, errors.New("the value is no text")
	case strings.TrimSpace(text) != text:
		return Value{}, errors.New("the value begins or ends with a space")
	}
	return Value{text}, nil
}

// Reveal returns the secret itself.
//
// Security: the caller puts it where its binding says, or into the vault, and
// nowhere else.
func (v Value) Reveal() string { return v.text }

// String is "REDACTED".
func (Value) String() string { return redacted }

// GoString is "REDACTED".
func (Value) GoString() string { return redacted }

// Format prints "REDACTED", whatever the verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) } // whoever prints hears of it

// MarshalText is "REDACTED".
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }
