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
	"os"
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
	OpStart    = "start" // make the program's process, stopped
	OpSignal   = "signal"
	OpPause    = "pause"
	OpResume   = "resume"   // let it run, first or again
	OpSnapshot = "snapshot" // write the state into the parts that come along, and go on
	OpRestore  = "restore"  // go on from them
	OpOpen     = "open"     // say what programs have open beneath some paths
	OpEnter    = "enter"    // start another program; its descriptors come along
)

// A Request is one thing that a launcher asks for.
type Request struct {
	Op      string
	Signal  int      `json:",omitempty"`
	PID     int32    `json:",omitempty"` // of signal: of one that was started by enter; 0: the program
	Command *Command `json:",omitempty"` // of enter
	Paths   []string `json:",omitempty"` // of open
}

// A Command is another program. Its three descriptors come with the request, and one of
// the program itself, if it is Own.
type Command struct {
	Args, Env []string
	Dir       string
	Terminal  bool // its descriptors are one terminal, which nobody has yet
	Own       bool `json:",omitempty"`
}

// What an agent says.
const (
	Ready = "ready" // the sandbox waits for its start
	Done  = "done"  // the request was carried out, or Error says why not
	Ended = "ended" // the program has
	Left  = "left"  // one that was started by enter has
)

// A Reply is one thing that an agent says.
type Reply struct {
	Kind    string
	Version string        `json:",omitempty"` // with Ready: of the agent
	Status  uint32        `json:",omitempty"` // with Ended and Left: the wait status
	PID     int32         `json:",omitempty"` // with Done, of enter, and Left: of the program, in its own kernel
	Errno   syscall.Errno `json:",omitempty"` // with Done, of start and enter: the program cannot be executed
	Open    []Open        `json:",omitempty"` // with Done, of open
	Error   string        `json:",omitempty"`
}

// An Open is something that a program has open.
type Open struct {
	Program, What, Path string
}

// longest is the largest message, and longestError the largest text in one.
const (
	longest      = 160 << 10
	longestError = 8 << 10
)

// ErrGone is the end of the other side.
var ErrGone = errors.New("the other side has ended")

// ErrLong is a message that does not fit into one packet.
var ErrLong = errors.New("the message is too long")

// Send writes a message, and hands over copies of descriptors with it.
func Send(fd int, message any, files ...int) error {
	if r, ok := message.(Reply); ok && len(r.Error) > longestError {
		r.Error = r.Error[:longestError]
		message = r
	}
	text, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("internal error: %w", err)
	}
	if len(text) > longest {
		return fmt.Errorf("send %d bytes: %w", len(text), ErrLong)
	}
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	if err := unix.Sendmsg(fd, text, rights, nil, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("send %d bytes: %w", len(text), err)
	}
	return nil
}

// Parts is how many files a snapshot has: the kernel's state, where its pages are,
// and the pages.
const Parts = 3

// mostFiles is how many descriptors a message may have.
const mostFiles = 4

// Receive reads a message of the wanted kind from a descriptor that blocks.
//
// Security: the length is bounded, and what is not JSON of that kind is an error.
// Descriptors that come along are closed.
func Receive(fd int, message any) error {
	files, err := ReceiveFiles(fd, message)
	for _, f := range files {
		_ = f.Close() // nobody wants it
	}
	return err
}

// ReceiveFiles is Receive, with the descriptors that come along.
func ReceiveFiles(fd int, message any) (files []*os.File, err error) {
	buf, oob := make([]byte, longest), make([]byte, unix.CmsgSpace(4*mostFiles))
	for {
		n, oobn, flags, _, err := unix.Recvmsg(fd, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		files, err := handed(oob[:oobn])
		switch {
		case err != nil:
			return files, fmt.Errorf("receive: %w", err)
		case n == 0:
			return files, ErrGone
		case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
			return files, fmt.Errorf("receive: %w", ErrLong)
		}
		if err := json.Unmarshal(buf[:n], message); err != nil {
			return files, fmt.Errorf("receive: %w", err)
		}
		return files, nil
	}
}

// handed are the descriptors of a control message.
func handed(oob []byte) (files []*os.File, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "handed over"))
		}
	}
	return files, nil
}
