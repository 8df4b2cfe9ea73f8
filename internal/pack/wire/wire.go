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
}

// Unpack writes what an archive has into a folder, which is empty.
type Unpack struct {
	Source string `json:"source"`
	Into   string `json:"into"`
}

// Export writes a pack's folder as an archive, into a file that is there and empty.
type Export struct {
	Folder string `json:"folder"`
	File   string `json:"file"`
}

// Done is what came of a task.
type Done struct {
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
