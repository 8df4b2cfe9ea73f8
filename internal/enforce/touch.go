package enforce

import "context"

// A Touch is a first contact: a process of the sandbox reached for something of
// the host that its view has not, or opens a port, and waits in that very system
// call.
type Touch struct {
	Kind TouchKind
	// Path is the object that would be shown, on the host and in the view: without
	// links, found by descriptor. For Create it is the directory.
	Path     string
	Dir      bool
	Socket   bool // the process connects to it
	Dev, Ino uint64
	Create   string // name of what is to be made, changed or removed in Path; "" otherwise
	Alone    bool   // with Create: that can be done for this name alone
	PID      int    // as the host sees it
	Port     uint16 // that is listened on, for TouchListen
	Program  string // name of the process
	Argv     []string
	Call     string // the system call, or what the file system was asked for
}

// TouchKind is what is wanted of the object.
type TouchKind string

// The kinds of touch. Looking at an object, reading it and listing it are one
// kind, so that a program that looks before it reads asks once.
const (
	TouchRead  TouchKind = "read"
	TouchWrite TouchKind = "write" // the object itself, or, with Create, the names in a directory
	TouchRun   TouchKind = "run"   // execute it; without a path: start a second process
	// TouchListen is a process that is about to listen on a port of TCP. It may,
	// whatever the answer: the network is its own. The question is whether somebody
	// outside can reach it.
	TouchListen TouchKind = "listen"
	// TouchStored is a key of what is stored, which has no path: whoever serves it
	// asks (Storer), and no tier makes such a touch.
	TouchStored TouchKind = "stored"
)

// An Answer says what comes of a touch. The zero Answer refuses.
type Answer struct {
	Allow bool
	// Show is what is attached to the view, parents before children: binds, and
	// masks inside them. It may be more than was touched (a directory above it).
	// Empty with Allow: there is nothing to attach, the call may go on.
	Show []Entry
	// Alone, with Allow, says that the name of the touch was allowed, and the
	// directory that it is in was not.
	Alone bool
	// Taken, without Allow, says that a port was allowed and somebody has it.
	Taken bool
}

// An Asker answers touches. It may take minutes; ctx ends when nobody waits any
// more. It is safe for concurrent use: each touch has a goroutine of its own.
//
// An Asker never touches the sandbox's view itself, nor waits for somebody who
// does: the program's walk of the path is held until it has answered.
type Asker interface {
	Touched(ctx context.Context, t Touch) Answer
	// NotShown is told when what was answered could not be attached: the touch is
	// refused all the same.
	NotShown(ctx context.Context, t Touch, cause error)
}

// A Finder is a Session that can say what a touch would be before it is made. It
// may be called while the program runs.
type Finder interface {
	// Find is what a process of the sandbox would touch by a path of its own: from
	// its working directory, through links, in its view. An error that wraps
	// fs.ErrNotExist says that nothing is to be asked about: there is nothing, or
	// the view has it with that right, or it is the sandbox's own.
	Find(pid int, k TouchKind, path string) (Touch, error)
}

// An Observer is an Asker that also hears of what is not asked about: which
// programs are started, where a plan asks about a second program
// (Input.AskSpawn) and that was allowed; what is opened, where a plan watches
// opens (Input.WatchOpens); which links led there. What it hears is no decision.
// Like Touched, it never touches the view.
type Observer interface {
	Asker
	// Linked is told of a symbolic link, by its path, that a program's path led
	// through, or that named a program. It is told at least once of each.
	Linked(path string)
	// Opened is told of a file that is opened for reading and that the view has.
	// Its Program is not set. It must not wait.
	Opened(t Touch)
	// Started is told of a program that may be started already. Its Path is the
	// host's object, or "" for a file that the sandbox made in a place of its own.
	Started(t Touch)
}
