// Package app is for programs that run in a sandbox of Ambit: they say what they want as
// values of Go, have their manifest written from that (ambit.dev/ambit/sdk/go/cmd/manifest),
// and find out what they got.
//
// A set of capabilities is what a program keeps to by itself. It protects nobody from
// the program: that is the sandbox's part, which refuses what was not granted whatever a
// set says. It serves to hand a part of a program less than the whole has, and to tell a
// person in time what is missing.
package app

import (
	"bytes"
	"encoding/json"
	"fmt"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

// A Capability is a right with its scope, as fs.read:~/notes. Capabilities are compared
// by ==, and one covers another by Covers.
type Capability = capability.Capability

// Parse reads a capability in its canonical spelling.
func Parse(text string) (Capability, error) { return capability.Parse(text) }

// Must is Parse for texts of the program itself, and panics where one is none.
func Must(text string) Capability {
	c, err := capability.Parse(text)
	if err != nil {
		panic(err)
	}
	return c
}

// A Want is one capability that a program declares.
type Want struct {
	Capability Capability
	Reason     string // for the person who is asked
	Optional   bool   // the program is useful without it
}

// A Manifest is what a program says of itself. Parts that are empty are left out.
type Manifest struct {
	ID, Name, Version, Description string
	Kind                           string   // cli-tool, mcp-tool, headless-app, desktop-app, system-service or agent
	Entry                          []string // the first is "./…" in the pack, or a command
	Wants                          []Want
	Env                            []string          // names let through from the person's environment
	Limits                         map[string]string // as in memory: 1G
	Home                           string            // none, ephemeral or private
}

// file is what errors of a manifest name, though it is not there yet.
const file = manifest.File

// written is an ambit.json, in the order in which it is read by people.
type written struct {
	ID           string            `json:"id"`
	Name         string            `json:"name,omitempty"`
	Version      string            `json:"version,omitempty"`
	Kind         string            `json:"kind,omitempty"`
	Description  string            `json:"description,omitempty"`
	Entry        []string          `json:"entry,omitempty"`
	Capabilities []writtenWant     `json:"capabilities,omitempty"`
	Env          []string          `json:"env,omitempty"`
	Limits       map[string]string `json:"limits,omitempty"`
	Home         string            `json:"home,omitempty"`
}

type writtenWant struct {
	Capability string `json:"capability"`
	Reason     string `json:"reason,omitempty"`
	Optional   bool   `json:"optional,omitempty"`
}

// JSON is the manifest as an ambit.json. It fails where no host would take it.
func (m Manifest) JSON() ([]byte, error) {
	w := written{ID: m.ID, Name: m.Name, Version: m.Version, Kind: m.Kind, Description: m.Description, Entry: m.Entry, Env: m.Env, Limits: m.Limits, Home: m.Home}
	for i, want := range m.Wants {
		if want.Capability.IsZero() {
			return nil, fmt.Errorf("want %d of %q is no capability", i+1, m.ID)
		}
		w.Capabilities = append(w.Capabilities, writtenWant{want.Capability.Display(), want.Reason, want.Optional})
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(w); err != nil {
		return nil, err
	}
	if _, err := manifest.Parse(file, b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
