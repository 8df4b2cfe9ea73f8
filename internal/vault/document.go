package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"ambit.dev/ambit/internal/core/binding"
)

// version of the document that is encrypted.
const version = 1

// A secret is an entry with its value.
type secret struct {
	Entry
	value binding.Value
}

// document is what is encrypted: JSON, with the secrets in the order of their
// names.
type document struct {
	Version int       `json:"version"`
	Secrets []written `json:"secrets"`
}

// written is a secret as it is encrypted.
type written struct {
	Entry
	Text string `json:"value"`
}

var (
	errDocument = errors.New("what is in it was not written by ambit, or is damaged")
	errNewer    = errors.New("it was written by a newer ambit: use that")
)

// parse reads a document, wholly or not at all.
//
// Security: its errors are fixed texts. Those of a decoder have pieces of what
// they did not understand in them, and that may be a piece of a value.
func parse(text []byte) ([]secret, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var doc document
	if err := d.Decode(&doc); err != nil {
		return nil, errDocument
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errDocument
	}
	switch {
	case doc.Version > version:
		return nil, errNewer
	case doc.Version != version:
		return nil, errDocument
	}
	var all []secret
	for i, w := range doc.Secrets {
		value, err := binding.NewValue(w.Text)
		if err != nil || binding.Name(w.Name) != nil || w.Binding.Check() != nil || w.Binding.Fits(value) != nil {
			return nil, errDocument
		}
		if i > 0 && strings.Compare(doc.Secrets[i-1].Name, w.Name) >= 0 {
			return nil, errDocument
		}
		all = append(all, secret{w.Entry, value})
	}
	return all, nil
}

// format is the document of these secrets.
func format(all []secret) ([]byte, error) {
	doc := document{Version: version, Secrets: []written{}}
	for _, s := range all {
		doc.Secrets = append(doc.Secrets, written{s.Entry, s.value.Reveal()})
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, errors.New("encode the secrets") // without a piece of them
	}
	if len(text) > maxFile/2 {
		return nil, errors.New("there are too many secrets")
	}
	return text, nil
}
