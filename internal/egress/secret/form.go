package secret

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// A form is how the body of a request is written.
type form interface {
	// write is a value as it stands in such a body.
	write(value string) string
	// field reports whether a field of the body is a word and nothing else, written
	// as it is: then where that word stands in the body once, it stands there.
	field(body []byte, name, word string) bool
}

// formOf is the form of a request's body; nil where it is not known.
func formOf(r *http.Request) form {
	if r.Header.Get("Content-Encoding") != "" {
		return nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return nil
	case kind == "application/json", strings.HasSuffix(kind, "+json"):
		return jsonForm{}
	case kind == "application/x-www-form-urlencoded":
		return fieldsForm{}
	case kind == "text/plain":
		return textForm{}
	}
	return nil
}

// jsonForm is JSON; its fields are the members of the outermost object.
type jsonForm struct{}

func (jsonForm) write(value string) string { return inJSON(value) }

func (jsonForm) field(body []byte, name, word string) (found bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return false
		}
		found = found || key == name && string(value) == `"`+word+`"`
	}
	return found
}

// inJSON writes a text as it stands between the quotes of a JSON string.
func inJSON(v string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "" // a string always encodes
	}
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

// fieldsForm is what browsers send of a form (WHATWG URL, section 5).
type fieldsForm struct{}

func (fieldsForm) write(value string) string { return url.QueryEscape(value) }

func (fieldsForm) field(body []byte, name, word string) bool {
	for pair := range strings.SplitSeq(string(body), "&") {
		key, value, _ := strings.Cut(pair, "=")
		if n, err := url.QueryUnescape(key); err == nil && n == name && value == word {
			return true
		}
	}
	return false
}

// textForm is plain text, which has no fields.
type textForm struct{}

func (textForm) write(value string) string { return value }

func (textForm) field([]byte, string, string) bool { return false }
