package deno

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// message is one request. Deno's schema is
// cli/schemas/permission-broker-request.v1.json of its repository; what its code
// adds to that is that value is null where everything of a permission is asked
// for. pid and datetime are not read: they are the program's own words.
type message struct {
	version    uint32
	id         uint32
	permission string
	value      string
	all        bool // no value: everything of the permission
}

// parse reads a line. An error means that the other end does not speak the
// protocol. Keys that are not known are let be: the version says whether they
// matter.
func parse(line []byte) (message, error) {
	var wire struct {
		Version    *uint32 `json:"v"`
		ID         *uint32 `json:"id"`
		Permission *string `json:"permission"`
		Value      *string `json:"value"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if err := dec.Decode(&wire); err != nil {
		return message{}, fmt.Errorf("read a request of Deno: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return message{}, errors.New("read a request of Deno: expected one object on a line")
	}
	if wire.Version == nil || wire.ID == nil || wire.Permission == nil {
		return message{}, errors.New("read a request of Deno: expected v, id and permission")
	}
	m := message{version: *wire.Version, id: *wire.ID, permission: *wire.Permission, all: wire.Value == nil}
	if !m.all {
		m.value = *wire.Value
	}
	return m, nil
}

// line is the reply to m, one line. Deno reads exactly one for each request.
func (a answer) line(m message) []byte {
	reply := struct {
		ID     uint32 `json:"id"`
		Result string `json:"result"`
		Reason string `json:"reason,omitempty"`
	}{ID: m.id, Result: "deny", Reason: a.reason}
	if a.allow {
		reply.Result, reply.Reason = "allow", ""
	}
	text, err := json.Marshal(reply)
	if err != nil { // strings and a number: there is no way to fail
		return []byte("\n")
	}
	return append(text, '\n')
}
