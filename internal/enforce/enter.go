package enforce

import (
	"errors"
	"fmt"
	"os"
)

// A Command is another program for a session that runs.
type Command struct {
	// Args are the program and its arguments. A program without a slash is looked
	// for inside, in the directories that PATH in Env names.
	Args  []string
	Env   []string    // the whole environment
	Dir   string      // in the view
	Files [3]*os.File // standard input, output and error; copies are handed over
	// Terminal says that the files which are terminals are one that nobody has yet:
	// it becomes the program's controlling one.
	Terminal bool
}

// An Enterer is a Session that other programs can be started in. It may be used
// from when the program was let go until the session has ended, by several
// goroutines.
type Enterer interface {
	// Enter starts a program beside the first one.
	//
	// Security: it gets the layers that the first one has, no right more, and no
	// descriptor but its three; that was looked at before it runs. It ends with the
	// session. Whether it may be started is decided before.
	Enter(Command) (Entered, error)
}

// Entered is a program that was started in a session.
type Entered interface {
	PID() int // as the host sees it, or 0 where the host has no process for it
	// Signal passes a signal on. SIGKILL ends the program with all that it started.
	Signal(os.Signal) error
	// Wait waits until it has ended. What it left running goes on, until the
	// session ends. It is called once.
	Wait() (Result, error)
}

// An Opener is a Session in which files can be opened from outside as its programs
// open them.
type Opener interface {
	// Open opens a path of the view. It takes the flags and the mode of open(2); with
	// O_DIRECTORY and O_CREAT a directory is made where there is none.
	//
	// Security: the path is walked inside, with the rights that the program has, by
	// the links that are there. What comes out is what the program could open.
	Open(path string, flags int, mode uint32) (*os.File, error)
}

// OwnProgram is the file, beside this program, that an OwnEnterer starts.
const OwnProgram = "ambit-guest"

// An OwnEnterer is a Session that a program of Ambit's own can be started in, whether
// the view has it or not.
type OwnEnterer interface {
	// EnterOwn starts OwnProgram beside the first program, as Enter does a command.
	//
	// Security: it gets what a command gets, and no right more: whatever takes it over
	// can do what the session's programs can.
	EnterOwn(Command) (Entered, error)
}

// EnterOwn starts Ambit's own program in a session of a tier, if that can be done there.
func EnterOwn(s Session, tier string, c Command) (Entered, error) {
	e, ok := s.(OwnEnterer)
	if !ok {
		return nil, &CannotEnforce{"looking after files of a session that runs", "the " + tier + " tier has no way to"}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return e.EnterOwn(c)
}

// Enter starts a program in a session of a tier, if that can be done there.
func Enter(s Session, tier string, c Command) (Entered, error) {
	e, ok := s.(Enterer)
	if !ok {
		return nil, &CannotEnforce{"a second program in a session that runs", "the " + tier + " tier has no way to start one"}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return e.Enter(c)
}

func (c Command) check() error {
	if len(c.Args) == 0 || c.Args[0] == "" {
		return errors.New("no command to start")
	}
	for i, f := range c.Files {
		if f == nil {
			return fmt.Errorf("internal error: standard descriptor %d of a command is missing", i)
		}
	}
	return nil
}
