// Package wire is what a launcher and the agent that keeps its gVisor sandbox
// say to each other: JSON, one message a packet, over a socket pair that nobody
// else has.
//
// The program in the sandbox does not speak here. The agent is ours, runs in the
// sandbox's outer namespaces and holds nothing of the launcher's but this.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Descriptor is where the agent finds its end.
const Descriptor = 3

// Paths in the outer view.
const (
	Bundle  = "/run/bundle" // config.json, the OCI spec
	State   = "/run/state"  // what runsc keeps
	Panic   = "/run/panic"  // what a dying sentry says
	Program = "/runsc"      // ambit-runsc itself
	View    = "/view"       // what the program sees of the host
)

// What a launcher asks for.
const (
	OpStart  = "start" // make the program's process, stopped
	OpSignal = "signal"
	OpPause  = "pause"
	OpResume = "resume" // let it run, first or again
)

// A Request is one thing that a launcher asks for.
type Request struct {
	Op     string
	Signal int `json:",omitempty"`
}

// What an agent says.
const (
	Ready = "ready" // the sandbox waits for its start
	Done  = "done"  // the request was carried out, or Error says why not
	Ended = "ended" // the program has
)

// A Reply is one thing that an agent says.
type Reply struct {
	Kind    string
	Version string        `json:",omitempty"` // with Ready: of the agent
	Status  uint32        `json:",omitempty"` // with Ended: the wait status
	Errno   syscall.Errno `json:",omitempty"` // with Done, of start: the program cannot be executed
	Error   string        `json:",omitempty"`
}

// longest is the largest message, and longestError the largest text in one.
const (
	longest      = 64 << 10
	longestError = 8 << 10
)

// ErrGone is the end of the other side.
var ErrGone = errors.New("the other side has ended")

// Send writes a message.
func Send(fd int, message any) error {
	if r, ok := message.(Reply); ok && len(r.Error) > longestError {
		r.Error = r.Error[:longestError]
		message = r
	}
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	if err := unix.Sendmsg(fd, text, nil, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("send %d bytes: %w", len(text), err)
	}
	return nil
}

// Receive reads a message of the wanted kind from a descriptor that blocks.
//
// Security: the length is bounded, and what is not JSON of that kind is an error.
func Receive(fd int, message any) error {
	buf := make([]byte, longest)
	for {
		n, _, flags, _, err := unix.Recvmsg(fd, buf, nil, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("receive: %w", err)
		case n == 0:
			return ErrGone
		case flags&unix.MSG_TRUNC != 0:
			return errors.New("receive: a message that is too long")
		}
		if err := json.Unmarshal(buf[:n], message); err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		return nil
	}
}
