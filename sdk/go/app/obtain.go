package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"ambit.dev/ambit/internal/core/capability"
)

// A State is what is known of a want.
type State int

const (
	// Refused: it was tried, and did not work.
	Refused State = iota
	// Held: it was tried, and works.
	Held
	// Untried: only its use shows whether it was granted, as of a pattern of paths, or of
	// a right to run other programs.
	Untried
)

func (s State) String() string {
	switch s {
	case Held:
		return "held"
	case Untried:
		return "untried"
	default:
		return "refused"
	}
}

// An Outcome is what became of one want.
type Outcome struct {
	Want  Want
	State State
	Err   error // of what was refused, and of nothing else
}

// Obtained is what a program got of what it wanted.
type Obtained struct {
	// Set has what is held, and what could not be tried.
	Set      Set
	Outcomes []Outcome // in the order of the wants
}

// Refused are the wants that were refused: by so much the program has less than it
// declares.
func (o Obtained) Refused() (all []Outcome) {
	for _, r := range o.Outcomes {
		if r.State == Refused {
			all = append(all, r)
		}
	}
	return all
}

// ErrMissing is why Obtain fails where something is refused that is not optional.
var ErrMissing = errors.New("is missing")

// Obtain finds out what was granted, by trying each want: a sandbox is told of no
// grants, and has no list of them. A file is opened, a folder looked at, a connection
// made and closed again; nothing is read, written or sent. Where the person is asked at
// the first touch, this is the question, and Obtain returns with the answer. Outside a
// sandbox it finds what the user may do.
//
// It returns what was obtained also with an error, which names each want that is missing
// and not optional.
func Obtain(ctx context.Context, wants ...Want) (Obtained, error) {
	base, err := here()
	if err != nil {
		return Obtained{}, err
	}
	got := Obtained{Set: Set{base: base}}
	var missing []error
	for _, w := range wants {
		o := Outcome{Want: w}
		c, err := w.Capability.Resolve(base)
		if err == nil {
			o.State, err = try(ctx, c)
		}
		if o.Err = err; err != nil {
			o.State = Refused
		}
		if o.State != Refused {
			got.Set.has = append(got.Set.has, c)
		} else if !w.Optional {
			missing = append(missing, fmt.Errorf("%s %w: %w", w.Capability.Display(), ErrMissing, o.Err))
		}
		got.Outcomes = append(got.Outcomes, o)
	}
	return got, errors.Join(missing...)
}

// here is where "~" and relative paths start for the program.
func here() (capability.Base, error) {
	dir, err := os.Getwd()
	if err != nil {
		return capability.Base{}, fmt.Errorf("find the working directory: %w", err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // none is needed but for ~
	}
	return capability.Base{Home: home, Dir: dir}, nil
}

// try uses a capability without doing anything by it. Refused comes with an error.
func try(ctx context.Context, c Capability) (State, error) {
	if to, ok := c.Destination(); ok {
		return reach(ctx, to)
	}
	p, ok := c.Pattern()
	if !ok {
		return Untried, nil
	}
	path, ok := p.Literal()
	if !ok {
		return Untried, nil
	}
	switch c.Kind() {
	case capability.FSRead:
		return touched(path, os.O_RDONLY)
	case capability.FSAppend:
		return touched(path, os.O_WRONLY|os.O_APPEND)
	case capability.FSWrite:
		return touched(path, os.O_WRONLY)
	default:
		return Untried, nil
	}
}

// touched opens a path and closes it. A folder that is to be written is held where
// something can be made in it. What is to be written and is not there is refused: in a
// sandbox it cannot be told from what is not shown, and a folder around it may be one
// that is gone at the end.
func touched(path string, flags int) (State, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Refused, err
	}
	if info.IsDir() && flags != os.O_RDONLY {
		const writable, searchable = 2, 1 // W_OK and X_OK of access(2)
		if err := syscall.Access(path, writable|searchable); err != nil {
			return Refused, &os.PathError{Op: "write", Path: path, Err: err}
		}
		return Held, nil
	}
	f, err := os.OpenFile(path, flags|syscall.O_NONBLOCK, 0) // a pipe is not waited for
	if err != nil {
		return Refused, err
	}
	return Held, f.Close()
}

// reach connects to one host and one port. Datagrams and names that stand for several
// hosts show by their use alone.
func reach(ctx context.Context, to Capability) (State, error) {
	if strings.Contains(to.Scope(), "/udp") {
		return Untried, nil
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", to.Scope())
	if err != nil {
		return Refused, err
	}
	return Held, c.Close()
}
