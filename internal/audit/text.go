package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Text is a string of any bytes, as paths and arguments are. In JSON it is a
// string if it is UTF-8 and otherwise the object {"base64":"…"}, so that
// nothing is lost and the common case stays legible.
type Text string

// Texts converts a list of strings.
func Texts(list []string) []Text {
	out := make([]Text, len(list))
	for i, s := range list {
		out[i] = Text(s)
	}
	return out
}

type bytesText struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return appendString(nil, string(t)), nil
	}
	return json.Marshal(bytesText{Base64: []byte(t)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var v bytesText
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			return fmt.Errorf("text of any bytes: %w", err)
		}
		*t = Text(v.Base64)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}
