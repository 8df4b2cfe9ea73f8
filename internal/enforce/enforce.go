// Package enforce turns what may be done into what a tier applies.
//
// Compile is pure: facts about the host and the effective set go in, a Plan
// comes out. The Plan is plain data that can be printed, compared and audited;
// a tier sees nothing else. What is not in the Plan is not permitted.
//
// Invariants: a capability that this host or tier cannot enforce is an error
// that names it, never ignored; a layer that the Plan promises and that does
// not hold stops the launch; parents stand before children in Plan.View.
//
// Layer: above core, below the mechanisms and the tiers.
package enforce

import (
	"context"
	"fmt"
	"os"
	"time"

	"ambit.dev/ambit/internal/core/capability"
)

// Facts are what the host offers, read before a Plan is made. The zero value
// offers nothing.
type Facts struct {
	UID, GID      int
	UserNamespace bool     // new user namespaces can be made by this user
	LandlockABI   int      // 0: no Landlock
	FUSE          bool     // /dev/fuse can be opened
	TUN           bool     // /dev/net/tun can be opened
	PIDMax        bool     // a pid namespace can bound its processes (Linux 6.14)
	Cgroup        []string // what can be limited by control group here: memory, pids, cpu
}

// An Object is one file or directory of the host that a capability reaches,
// found once and held to: Dev and Ino are compared when it is mounted.
type Object struct {
	Path     string `json:"path"` // without symbolic links
	Dir      bool   `json:"dir,omitempty"`
	Dev, Ino uint64 `json:"-"`
	Socket   bool   `json:"-"` // a unix socket
	Names    uint64 `json:"-"` // how many names (hard links) a file has; 0: not known
	// Links are the symbolic links on the way from the granted spelling to
	// Path, so that the program can use the same spelling.
	Links []Link `json:"links,omitempty"`
}

// A Link is a symbolic link to be shown in the view.
type Link struct{ Path, Target string }

// A File is a small file that is written into the view.
type File struct {
	Path    string
	Content []byte
}

// A Volume shows an object of the host at another path of the view.
type Volume struct {
	Source Object
	Target string
	Write  bool
	// Changes, if it is set, is a directory of the host that every change goes into:
	// the source stays as it is. It has the directories Upper and Work.
	Changes string
	// Append has everything there stay, and grow. Read is implied. Bytes and Files
	// bound what lies there, also where it can be changed (Write); 0 is no bound.
	Append       bool
	Bytes, Files int64
	Tally        string // a file, if it is set, in which sessions count both together, or by which one has it alone
}

// Upper and Work are the directories that an overlay needs for what is changed.
const (
	Upper = "upper" // what was changed, as overlayfs keeps it
	Work  = "work"  // of the kernel's own
)

// Base is the part of the host that every program sees: system programs and
// libraries, and nothing of the user's.
type Base struct {
	Dirs     []Object     // shown read-only; files, too, that are too large to be copied
	Programs []string     // the directories among and beneath them that hold programs
	Beside   []ProgramDir // others that do; looked for where single programs may be started
	Links    []Link
	Files    []File
	Sockets  []Object // unix sockets of the host: hidden unless they are granted by name
	Masked   []Object // of a fresh /proc: what tells of the whole host
}

// A ProgramDir holds programs and lies among libraries.
type ProgramDir struct {
	Path  string
	Whole bool     // it holds nothing else that a program needs, and may be masked as a whole
	Files []string // the programs: all beneath it if Whole, else those in it
}

// Home says what the program has for a home directory.
type Home string

// The kinds of home: none, a directory that is gone at the end, one that the
// pack keeps.
const (
	HomeNone      Home = "none"
	HomeEphemeral Home = "ephemeral"
	HomePrivate   Home = "private"
	// HomeHost is the person's own, of which nothing is there without a grant.
	// It is for runs that ask.
	HomeHost Home = "host"
)

// Program is what is started.
type Program struct {
	Path string   `json:"path"` // in the view
	Argv []string `json:"argv"`
	Dir  string   `json:"dir"`
	Env  []string `json:"env"`
}

// Input is everything that Compile needs besides Facts.
type Input struct {
	Session   string
	Tier      string                  // what is promised; "" is the process tier
	Effective []capability.Capability // resolved; what was decided Allow
	Masked    []capability.Capability // resolved; standing denials inside what is allowed
	// Objects are the host's objects for each path capability of Effective and
	// Masked, by its String. A literal path has one; a glob has its matches.
	Objects map[string][]Object
	Volumes []Volume
	Base    Base
	Program Program
	// Executables are the objects that start the program: itself, its
	// interpreter, its loader.
	Executables []Object
	Pack        *Object // the pack's own folder, shown read-only
	AdHoc       bool    // an ad hoc run may start what the base view has
	HomePath    string
	Terminal    string // the host's path of the terminal that the program is started on, or ""
	Home        Home
	PrivateHome *Object // with HomePrivate
	Limits      Limits
	WatchOpens  bool // have the notifier see opens, to report denials
	Ask         bool // hide what is not granted behind a trap, and have first touches asked about
	// Notify, with Ask: there is no trap, and every look at a file is held
	// instead. What can be reached is the same; each look is slower.
	Notify bool
	// AskSpawn, with Ask: to start a second program was not granted, and can be.
	AskSpawn bool
	// AskListen, with Ask and a link: whether a port that the program listens on
	// can be reached from outside can be asked about.
	AskListen bool
	// AskRun, with Ask, are programs, with what starts them, that were not granted
	// and can be: those that the manifest names.
	AskRun []Object
	// AskStored are rights to what is stored that were not granted and can be asked
	// about, with Ask.
	AskStored []capability.Capability
	// Link is the link that the sandbox gets, whose other end decides about each
	// flow. nil: it has no network.
	Link *LinkPlan
	// Quiet are paths where programs look around: with Ask nothing there is asked
	// about, it is not there.
	Quiet []string
}

// Limits are upper bounds; zero means no bound of ours.
type Limits struct {
	Memory int64         `json:"memory,omitempty"` // bytes
	PIDs   int64         `json:"pids,omitempty"`
	CPU    int64         `json:"cpu,omitempty"` // thousandths of a core
	Wall   time.Duration `json:"wall,omitempty"`
	Disk   int64         `json:"disk,omitempty"` // bytes in each private directory, and of each file
	FDs    int64         `json:"fds,omitempty"`
	// Storage bounds the bytes of all that is stored for whom the sandbox is, and
	// Versions those of each key.
	Storage  int64 `json:"storage,omitempty"`
	Versions int64 `json:"versions,omitempty"`
}

// Stdio are the program's first three descriptors.
type Stdio struct{ In, Out, Err *os.File }

// A Tier applies plans at one strength.
type Tier interface {
	Name() string
	// Start builds the sandbox, tries each layer, and leaves the program
	// waiting at its threshold. It fails if a promised layer does not hold.
	Start(ctx context.Context, p Plan, io Stdio) (Session, error)
}

// A Session is a program inside its sandbox. It is used by one goroutine,
// apart from Signal, Kill, Hide and Pause.
type Session interface {
	Report() Report
	Release() error         // lets the program begin
	Wait() (Result, error)  // until the program and all it started have ended
	Signal(os.Signal) error // to the program
	Kill() error            // all of it, at once
	PID() int               // of the sandbox's init, as the host sees it
	Denials() <-chan Denial // what the kernel refused and the supervisor saw; closed at the end
	// Hide takes what was shown at paths of the view away again, and returns what
	// is open of each all the same. It may be called while the program runs.
	Hide(paths ...string) ([][]Open, error)
	// Pause stops the program and all it started, until resume is called. It may
	// be called while the program runs.
	Pause() (resume func(), err error)
}

// Open is something that a process holds of what its view no longer has.
type Open struct {
	PID     int    `json:"pid"` // as the host sees it
	Program string `json:"program"`
	What    string `json:"what"` // "descriptor 5", "working directory", "mapping"
	Path    string `json:"path"`
}

// A Denial is something that the program tried and that its Plan does not have.
type Denial struct {
	Kind    string // of the capability that is missing: net.connect, process.spawn, fs.read
	Target  string // path, or address:port
	PID     int    // as the host sees it
	Program string // name of the process
	Call    string // the system call
}

// Result says how a program ended.
type Result struct {
	Exit   int // the exit status, or 128+N
	Signal int // the signal that ended it, or 0
	// Limit names the bound that ended it ("wall", "memory", "pids"), or "".
	Limit     string
	LimitText string // in words, "" where nothing more is known; without Limit: what only held the program back
	Missed    int    // denials that came too fast to be told
	// CannotExec is set when the kernel refused to execute the program.
	CannotExec error
}

// A Witness is a Session that can say, when it has ended, which entries of its view
// something was opened or started beneath, by their paths, where its plan watches
// opens (Input.WatchOpens) and nothing is asked about; nil where nobody watched.
// What only looks at names opens nothing.
type Witness interface {
	Opened() map[string]bool
}

// Report says what a tier promised and whether each layer holds.
type Report struct {
	Tier   string  `json:"tier"`
	Layers []Layer `json:"layers"`
}

// A Layer is one mechanism. Weaker is set when it is the named weaker way.
type Layer struct {
	Name     string `json:"name"`
	Promised bool   `json:"promised"`
	Holds    bool   `json:"holds"`
	Weaker   bool   `json:"weaker,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// Broken are the names of promised layers that do not hold.
func (r Report) Broken() (names []string) {
	for _, l := range r.Layers {
		if l.Promised && !l.Holds {
			names = append(names, l.Name+": "+l.Detail)
		}
	}
	return names
}

// CannotEnforce says that a capability has no meaning for this tier or host.
type CannotEnforce struct {
	Capability string
	Why        string
}

func (e *CannotEnforce) Error() string {
	return fmt.Sprintf("%s cannot be enforced here: %s", e.Capability, e.Why)
}
