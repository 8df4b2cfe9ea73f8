package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Asks is where the agent finds the end of the line on which the sandbox's kernel asks, a
// socket that keeps packets apart. It hands it over to that kernel.
const Asks = 4

// What is wanted of the object of a Question.
const (
	WantRead  = "read" // look at it, or open it to be read
	WantWrite = "write"
	WantRun   = "run"
	WantOver  = "over" // nobody waits any more for the question of that number; not answered
)

// Question is what the sandbox's kernel asks before a call that changes or starts
// something goes on, and about one that reached what it may not look at. Its paths are no text: a name need not be UTF-8.
type Question struct {
	ID   uint64
	Want string
	Dir  []byte `json:",omitempty"` // absolute and clean, as it is in the view without links
	Name []byte `json:",omitempty"` // in Dir; none: Dir itself

	Entry   bool `json:",omitempty"` // the name is made, changed or removed, whatever has it
	Makes   bool `json:",omitempty"` // the call fails where the name is already
	Creates bool `json:",omitempty"` // the call makes what is not there
	Link    bool `json:",omitempty"` // a link that has the name is not followed
	List    bool `json:",omitempty"` // of read: a directory is asked about too, which only to look at asks nobody

	// Who asks, as that kernel says.
	PID     int32  `json:",omitempty"` // as the program's own processes have it
	Program []byte `json:",omitempty"`
	Argv    []byte `json:",omitempty"` // a zero byte behind each argument; it may be cut off
}

// Told answers a Question.
type Told struct {
	ID     uint64
	Errno  syscall.Errno `json:",omitempty"` // the call is refused; 0: it may go on, and meets what the view has
	Target []byte        `json:",omitempty"` // the name is a link that leads there: ask about that
	Shown  bool          `json:",omitempty"` // the view has changed
}

// Bounds of a Question.
const (
	LongestPath    = 4096 // linux/limits.h
	LongestName    = 255
	LongestProgram = 64
	LongestArgv    = 4096

	longestAsked = 32 << 10 // as JSON
)

var errQuestion = errors.New("a question that no kernel of ours asks")

// Check refuses what is no Question.
//
// Security: what passes is bounded, and its path is absolute and clean, with no way up
// and no zero byte in it.
func (q Question) Check() error {
	dir, name := string(q.Dir), string(q.Name)
	switch q.Want {
	case WantOver:
		return nil
	case WantRead, WantWrite, WantRun:
	default:
		return errQuestion
	}
	if len(dir) >= LongestPath || !path.IsAbs(dir) || path.Clean(dir) != dir || strings.ContainsRune(dir, 0) ||
		len(name) > LongestName || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || q.Entry && name == "" {
		return errQuestion
	}
	if q.PID < 0 || len(q.Program) > LongestProgram || len(q.Argv) > LongestArgv {
		return errQuestion
	}
	return nil
}

// Arguments are those of who asks.
func (q Question) Arguments() (argv []string) {
	if text := bytes.TrimRight(q.Argv, "\x00"); len(text) > 0 {
		argv = strings.Split(string(text), "\x00")
	}
	return argv
}

// Ask is the packet of a Question or of a Told.
func Ask(message any) ([]byte, error) {
	text, err := json.Marshal(message)
	if err == nil && len(text) > longestAsked {
		err = ErrLong
	}
	return text, err
}

// Asked reads a packet of Ask with read, which is read(2) or is like it.
func Asked(read func([]byte) (int, error), message any) error {
	b := make([]byte, longestAsked+1)
	for {
		n, err := read(b)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return ErrGone
		case n > longestAsked:
			return ErrLong
		}
		if err := json.Unmarshal(b[:n], message); err != nil {
			return fmt.Errorf("%w: %w", errQuestion, err)
		}
		return nil
	}
}
