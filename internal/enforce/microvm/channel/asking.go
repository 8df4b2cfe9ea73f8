package channel

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Want is what a guest wants to know of a path of the host.
type Want string

// The wants. A look tells of a name what it is; to read, to change or to run it waits for
// somebody's answer; over says that nobody waits for that any more, and is not answered.
const (
	WantLook  Want = "look"
	WantRead  Want = "read"
	WantWrite Want = "write"
	WantRun   Want = "run"
	WantOver  Want = "over"
)

// Question is what a guest asks while its program runs, on the stream of OpAsk.
type Question struct {
	ID   uint64 `json:"id"`
	Want Want   `json:"want"`
	Path []byte `json:"path,omitempty"` // absolute and clean; no text, since a name need not be UTF-8
	Name []byte `json:"name,omitempty"` // of what is made, changed or removed in the directory Path, to write it

	// Who asks is what the guest says, and nobody else knows. A look says nothing of it.
	PID     int      `json:"pid,omitempty"`     // as the program's own processes have it
	Program []byte   `json:"program,omitempty"` // name of the process
	Argv    [][]byte `json:"argv,omitempty"`
}

// Told answers a Question.
type Told struct {
	ID     uint64 `json:"id"`
	Errno  int    `json:"errno,omitempty"`
	Mode   uint32 `json:"mode,omitempty"`   // its type: a directory, a file or a link
	Target []byte `json:"target,omitempty"` // of a link
}

// Shown is something that was put into the guest and comes into the running view, or is
// there and gets wider rights.
type Shown struct {
	Path  string   `json:"path"`
	Dir   bool     `json:"dir,omitempty"`
	Write bool     `json:"write,omitempty"` // what becomes of it is brought back
	Exec  bool     `json:"exec,omitempty"`
	Wider bool     `json:"wider,omitempty"` // it is there
	Kept  []string `json:"kept,omitempty"`  // what the view has beneath, and keeps
	Moved []Moved  `json:"moved,omitempty"` // what it has beneath, and becomes a part of this
}

// Moved is something that was put by itself, and becomes a part of the folder that it lies
// in: whoever has it open goes on with it.
type Moved struct {
	Tree int    `json:"tree"`
	Path string `json:"path"` // of the view
}

// Held is something that a process of the guest has open of what was taken away. What it
// says is for people.
type Held struct {
	Of      int    `json:"of"` // which of the paths, from 0
	PID     int    `json:"pid,omitempty"`
	Program string `json:"program,omitempty"`
	What    string `json:"what,omitempty"` // "working directory", "mapping", or "descriptor" and its number
	Path    string `json:"path,omitempty"`
}

// check refuses what no guest of ours would say: a name that is too long, and words in the
// place of those that there are, which people would read.
func (h Held) check() error {
	number, descriptor := strings.CutPrefix(h.What, "descriptor ")
	if descriptor {
		_, err := strconv.ParseUint(number, 10, 31)
		descriptor = err == nil
	}
	if h.PID < 0 || len(h.Program) > LongestName || len(h.Path) > longestPath || !descriptor && h.What != "working directory" && h.What != "mapping" {
		return fmt.Errorf("%w: %s, held by %q", errMessage, clip(h.What), clip(h.Program))
	}
	return nil
}

// MostHeld bounds what is told of one order to hide. Of more it is told that there is more.
const MostHeld = 100

// longestPath bounds a path (linux/limits.h).
const longestPath = 4096

// Bounds of what is said of who asks.
const (
	MostArgv    = 64   // words
	LongestArgv = 4096 // bytes of all of them
	LongestName = 64   // bytes of a program's name
)

// Question reads the next question of a guest.
//
// Security: what passes is bounded, and its path is absolute and clean: it has no way
// up, no name that is too long and no zero byte.
func (s *Stream) Question() (q Question, err error) {
	if err := s.Receive(&q); err != nil {
		return q, err
	}
	return q, q.check()
}

func (q Question) check() error {
	bad := func(why string) error {
		return fmt.Errorf("%w: a question about %q %s", errMessage, clip(string(q.Path)), why)
	}
	switch q.Want {
	case WantOver:
		if len(q.Path)+len(q.Name) > 0 {
			return bad("that is over has no path")
		}
		return nil
	case WantLook, WantRead, WantWrite, WantRun:
	default:
		return bad("is of no kind that there is")
	}
	if name := string(q.Name); len(name) > longestName || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || name != "" && q.Want != WantWrite {
		return bad("has no name beneath it")
	}
	long := 0
	for _, word := range q.Argv {
		long += len(word)
	}
	if q.PID < 0 || len(q.Program) > LongestName || len(q.Argv) > MostArgv || long > LongestArgv {
		return bad("says too much of who asks")
	}
	p := string(q.Path)
	if len(p) >= longestPath || !path.IsAbs(p) || path.Clean(p) != p || bytes.IndexByte(q.Path, 0) >= 0 {
		return bad("has no absolute, clean path")
	}
	for name := range bytes.SplitSeq(q.Path, []byte("/")) {
		if len(name) > longestName {
			return bad("has too long a name")
		}
	}
	return nil
}
