// Package wire is what ambit and ambit-pack say to each other, and the side of
// ambit: one task, and what came of it.
//
// It imports nothing that reads archives, which only ambit-pack is made of.
package wire

import (
	"errors"
	"fmt"
	"io"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/capability"
)

// maxMessage bounds a message.
const maxMessage = 64 << 10

// A Task is what one process does; exactly one field is set. All paths are
// absolute.
type Task struct {
	Unpack *Unpack `json:"unpack,omitempty"`
	Export *Export `json:"export,omitempty"`
	Fetch  *Fetch  `json:"fetch,omitempty"`
	Push   *Push   `json:"push,omitempty"`
}

// Unpack writes what an archive, an OCI layout or an archive of one has into a
// folder, which is empty.
type Unpack struct {
	Source string `json:"source"`
	Into   string `json:"into"`
	Spool  string `json:"spool"` // an empty folder to work in
}

// Export writes a pack's folder as an archive, into a file that is there and empty.
type Export struct {
	Folder string `json:"folder"`
	File   string `json:"file"`
	OCI    bool   `json:"oci,omitempty"` // as an OCI layout, in an archive
	Spool  string `json:"spool"`
}

// Fetch writes what a registry has into a folder, which is empty, as an OCI layout.
type Fetch struct {
	Ref  string `json:"ref"`
	Into string `json:"into"`
}

// Push uploads a pack's folder to a registry.
type Push struct {
	Folder string `json:"folder"`
	Ref    string `json:"ref"`
	Spool  string `json:"spool"`
}

// Done is what came of a task.
type Done struct {
	Ref   string `json:"ref,omitempty"` // of exactly what was fetched or pushed
	Fault string `json:"fault,omitempty"`
}

// NewConn makes a line that carries messages of a stream.
func NewConn(s io.ReadWriter) *companion.Conn { return companion.NewConn(s, maxMessage) }

// Do puts a task and waits for what comes of it.
func Do(s io.ReadWriter, t Task) (d Done, err error) {
	conn := NewConn(s)
	if err = conn.Send(t); err == nil {
		err = conn.Receive(&d)
	}
	switch {
	case err != nil:
		return d, fmt.Errorf("ask the process of packs: %w", err)
	case d.Fault != "":
		return d, errors.New(capability.Printable(d.Fault))
	}
	return d, nil
}
