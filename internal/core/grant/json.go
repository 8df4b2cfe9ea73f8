package grant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/capability"
)

// written is the JSON form of a grant, as it is written. It is not read back
// through its tags: encoding/json takes keys in any case and the last of two.
type written struct {
	ID         string                `json:"id"`
	Principal  string                `json:"principal"`
	Pack       string                `json:"pack"`
	Digest     string                `json:"digest,omitempty"`
	Capability capability.Capability `json:"capability"`
	Outcome    string                `json:"outcome"`
	Lifespan   span                  `json:"lifespan"`
	Origin     string                `json:"origin,omitempty"`
	Reason     string                `json:"reason,omitempty"`
	Created    time.Time             `json:"created,omitzero"`
	Revoked    time.Time             `json:"revoked,omitzero"`
}

type span struct {
	Span    string    `json:"span"`
	Until   time.Time `json:"until,omitzero"`
	Session string    `json:"session,omitempty"`
}

// MarshalJSON fails for a grant that Check refuses: what is written can be read.
func (g Grant) MarshalJSON() ([]byte, error) {
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("grant %q: %w", g.ID, err)
	}
	l := g.Lifespan
	return json.Marshal(written{
		ID: g.ID, Principal: g.Principal, Pack: g.Pack, Digest: g.Digest, Capability: g.Capability,
		Outcome:  g.Outcome.String(),
		Lifespan: span{Span: l.Span.String(), Until: l.Until.UTC(), Session: l.Session},
		Origin:   g.Origin, Reason: g.Reason, Created: g.Created.UTC(), Revoked: g.Revoked.UTC(),
	})
}

// UnmarshalJSON reads what MarshalJSON writes and nothing looser. On error g is
// unchanged.
func (g *Grant) UnmarshalJSON(data []byte) error {
	var read Grant
	err := readObject(data, map[string]func(json.RawMessage) error{
		"id":         text(&read.ID),
		"principal":  text(&read.Principal),
		"pack":       text(&read.Pack),
		"digest":     text(&read.Digest),
		"capability": read.readCapability,
		"outcome":    read.Outcome.read,
		"lifespan":   read.Lifespan.read,
		"origin":     text(&read.Origin),
		"reason":     text(&read.Reason),
		"created":    instant(&read.Created),
		"revoked":    instant(&read.Revoked),
	}, "id", "principal", "pack", "capability", "outcome", "lifespan")
	if err == nil {
		err = read.Check()
	}
	if err != nil {
		return fmt.Errorf("read grant: %w", err)
	}
	*g = read
	return nil
}

func (g *Grant) readCapability(raw json.RawMessage) error {
	var s string
	if err := text(&s)(raw); err != nil {
		return err
	}
	return g.Capability.UnmarshalText([]byte(s))
}

func (o *Outcome) read(raw json.RawMessage) error {
	i, err := word(raw, []string{Deny: "deny", Allow: "allow"})
	*o = Outcome(i)
	return err
}

func (l *Lifespan) read(raw json.RawMessage) error {
	return readObject(raw, map[string]func(json.RawMessage) error{
		"span": func(raw json.RawMessage) error {
			i, err := word(raw, spans[:])
			l.Span = Span(i)
			return err
		},
		"until":   instant(&l.Until),
		"session": text(&l.Session),
	}, "span")
}

// word returns which of words raw is.
func word(raw json.RawMessage, words []string) (int, error) {
	var s string
	if err := text(&s)(raw); err != nil {
		return 0, err
	}
	i := slices.Index(words, s)
	if i < 0 {
		return 0, fmt.Errorf("expected one of %q, found %q", words, s)
	}
	return i, nil
}

func text(to *string) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		if raw[0] != '"' {
			return fmt.Errorf("expected a text, found %s", raw)
		}
		return json.Unmarshal(raw, to)
	}
}

func instant(to *time.Time) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var s string
		if err := text(&s)(raw); err != nil {
			return err
		}
		t, err := time.Parse(time.RFC3339Nano, s)
		t = t.UTC()
		if err != nil || t.Year() < 0 || t.Year() > 9999 { // an offset can carry it out of what can be written
			return fmt.Errorf("expected a time such as 2026-01-02T15:04:05Z, found %q", s)
		}
		*to = t
		return nil
	}
}

// readObject reads one JSON object. Each key has to be known, written exactly
// so, and there once; required ones have to be there.
func readObject(data []byte, fields map[string]func(json.RawMessage) error, required ...string) error {
	if !utf8.Valid(data) || !json.Valid(data) {
		return errors.New("expected JSON in UTF-8")
	}
	// From here on the decoder has no syntax error to report.
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, _ := dec.Token(); t != json.Delim('{') {
		return errors.New("expected a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, _ := dec.Token()
		key, _ := t.(string)
		read, known := fields[key]
		switch {
		case !known:
			return fmt.Errorf("unknown key %q", key)
		case seen[key]:
			return fmt.Errorf("%q is there twice", key)
		}
		seen[key] = true
		var raw json.RawMessage
		_ = dec.Decode(&raw)
		if err := read(raw); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, key := range required {
		if !seen[key] {
			return fmt.Errorf("expected %q", key)
		}
	}
	return nil
}
