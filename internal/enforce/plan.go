package enforce

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Plan is a sandbox as data. The zero Plan permits nothing and starts nothing.
type Plan struct {
	Session    string      `json:"session"`
	Tier       string      `json:"tier"`
	Program    Program     `json:"program"`
	Namespaces []string    `json:"namespaces"`
	UID        int         `json:"uid"`
	GID        int         `json:"gid"`
	Hostname   string      `json:"hostname"`
	View       []Entry     `json:"view"`
	Quiet      []string    `json:"quiet,omitempty"`  // hidden, and never asked about
	Link       *LinkPlan   `json:"link,omitempty"`   // nil: the network is empty
	Stored     *StoredPlan `json:"stored,omitempty"` // nil: nothing of what is stored is there
	Landlock   Landlock    `json:"landlock"`
	Filter     Filter      `json:"filter"`
	Limits     LimitPlan   `json:"limits"`
}

// Op is what an Entry puts at its path.
type Op string

// The ways to put something into a view.
const (
	OpDir    Op = "dir"
	OpFile   Op = "file"
	OpLink   Op = "link"
	OpBind   Op = "bind"
	OpTmpfs  Op = "tmpfs"
	OpProc   Op = "proc"
	OpDevpts Op = "devpts"
	OpMask   Op = "mask" // an empty read-only object on top
	// OpOverlay is a directory of the host that is changed elsewhere: reads come from
	// Source, and every change goes into Changes.
	OpOverlay Op = "overlay"
	// OpAppend is a folder or file of the host in which everything stays and grows:
	// a server outside makes, appends, and does nothing else.
	OpAppend Op = "append"
	// OpBounded is a folder of the host that can be changed, up to a bound: a server
	// outside counts.
	OpBounded Op = "bounded"
	// OpStored is the folder of what outlives the session: a server outside hands out
	// one whole version of a value, and takes one.
	OpStored Op = "stored"
	// OpTrap is a root that knows names only: what is beneath it and not mounted
	// is hidden, not absent, and the first touch of it is a question.
	OpTrap Op = "trap"
)

// An Entry is one thing of the view. Entries are applied in order.
type Entry struct {
	Op     Op     `json:"op"`
	Path   string `json:"path"`
	Source string `json:"source,omitempty"` // bind: the host's object; link: its target
	Write  bool   `json:"write,omitempty"`
	Read   bool   `json:"read,omitempty"` // append: contents can be read, too
	Exec   bool   `json:"exec,omitempty"`
	Device bool   `json:"device,omitempty"` // device files work beneath
	Dir    bool   `json:"dir,omitempty"`    // bind, mask: the object is a directory
	Pin    bool   `json:"pin,omitempty"`    // bind: it keeps the directory from being renamed
	Ask    bool   `json:"ask,omitempty"`    // file: it stands for a program that can be asked about
	Socket bool   `json:"socket,omitempty"` // mask: it hides a socket, wherever that is moved to
	Size   int64  `json:"size,omitempty"`   // tmpfs, append, bounded: bytes
	Files  int64  `json:"files,omitempty"`  // append, bounded: files and folders
	Tally  string `json:"tally,omitempty"`  // append, bounded: the file in which sessions count both together, or by which one of them has it alone
	Mode   uint32 `json:"mode,omitempty"`
	// Changes, of an overlay, is a directory of the host with the directories Upper
	// and Work in it.
	Changes string `json:"changes,omitempty"`

	// Denied, of what is append-only, is what its server keeps closed in it.
	Denied []Denied `json:"denied,omitempty"`

	Content  Content `json:"content,omitempty"`
	Dev, Ino uint64  `json:"-"`
}

// A Denied is a file or folder, with what is beneath, that is closed in another one.
type Denied struct {
	Path     string `json:"path"`           // relative to what it lies in
	Read     bool   `json:"read,omitempty"` // it can be read, and no more
	Dev, Ino uint64 `json:"-"`
}

// Includes reports whether a bind shows what another one shows beneath it, with
// at least its rights.
func (e Entry) Includes(o Entry) bool {
	return e.Op == OpBind && o.Op == OpBind && !o.Pin && !o.Device && within(o.Path, e.Path) &&
		o.Source == path.Join(e.Source, o.Path[len(e.Path):]) && (e.Write || !o.Write) && (e.Exec || !o.Exec)
}

// Equal reports whether e puts the same object, with the same rights, at the same path.
func (e Entry) Equal(o Entry) bool {
	return e.Op == o.Op && e.Path == o.Path && e.Source == o.Source && e.Write == o.Write && e.Exec == o.Exec && e.Device == o.Device &&
		e.Dir == o.Dir && e.Pin == o.Pin && e.Ask == o.Ask && e.Socket == o.Socket && e.Size == o.Size && e.Read == o.Read && e.Files == o.Files && e.Tally == o.Tally && e.Mode == o.Mode && e.Changes == o.Changes && bytes.Equal(e.Content, o.Content) && slices.Equal(e.Denied, o.Denied) &&
		e.Dev == o.Dev && e.Ino == o.Ino
}

// Content is the content of a small file; as JSON it is its size and digest.
type Content []byte

// MarshalJSON prints size and SHA-256, which is what an audit needs.
func (c Content) MarshalJSON() ([]byte, error) {
	sum := sha256.Sum256(c)
	return json.Marshal(fmt.Sprintf("%d bytes sha256:%s", len(c), hex.EncodeToString(sum[:8])))
}

// Landlock is the plan for the Landlock domain: all file rights beneath the
// view's root but those that are for single paths, nothing else.
type Landlock struct {
	ABI    int      `json:"abi"`
	Weaker []string `json:"weaker,omitempty"` // what this version does not cover of what FullLandlockABI does
	// Execute are the paths of the view that may be executed. Empty with
	// LimitExecute: none. Without LimitExecute: every file.
	LimitExecute bool     `json:"limit_execute"`
	Execute      []string `json:"execute,omitempty"`
	// Later are objects of the host that may be executed once they are shown.
	Later []string `json:"later,omitempty"`
	// Connect are the sockets of the view that may be connected to although they
	// are the host's. From version 9 on Landlock closes all others.
	Connect []string `json:"connect,omitempty"`
	// Devices are those of the view that take requests (ioctl) although they are no
	// terminals. No grant leads to one.
	Devices []string `json:"devices,omitempty"`
}

// Filter says which calls the system call filter holds beside its fixed table.
type Filter struct {
	NoSpawn      bool `json:"no_spawn,omitempty"`
	LimitExec    bool `json:"limit_exec,omitempty"`
	WatchConnect bool `json:"watch_connect,omitempty"`
	WatchOpens   bool `json:"watch_opens,omitempty"`
	// HoldChanges and HoldRuns have calls wait that make, change or remove, or
	// that execute: they can be asked about.
	HoldChanges bool `json:"hold_changes,omitempty"`
	HoldRuns    bool `json:"hold_runs,omitempty"`
	// HoldLooks has every look at a file by path wait: a plan that asks without a
	// trap hears of first touches by it.
	HoldLooks bool `json:"hold_looks,omitempty"`
	// HoldListens has listen wait: whether a port can be reached from outside can be
	// asked about.
	HoldListens bool `json:"hold_listens,omitempty"`
	// HoldSockets has the first socket of the network wait until the link is made.
	HoldSockets bool `json:"hold_sockets,omitempty"`
	// NoGroupSignal refuses signals to the own process group, of which the launcher
	// and others outside may be members.
	NoGroupSignal bool `json:"no_group_signal,omitempty"`
	// AskSpawn, with NoSpawn: a second program is asked about before it is refused.
	AskSpawn bool `json:"ask_spawn,omitempty"`
}

// Asks reports whether what is not in the view is hidden, not absent, so that a
// first touch of it can be asked about.
func (p Plan) Asks() bool { return p.Filter.HoldChanges }

// Trapped reports whether it is hidden behind a trap. Otherwise a plan that asks
// hears of first touches by the calls that its filter holds.
func (p Plan) Trapped() bool { return len(p.View) > 0 && p.View[0].Op == OpTrap }

// Skeleton splits the view of a plan that asks: names are what the root itself
// shows, mounted is everything else.
func (p Plan) Skeleton() (names, mounted []Entry) {
	view := p.View
	if p.Trapped() {
		view = view[1:]
	}
	on := make(map[string]bool, len(view)) // what is mounted, by path
	names, mounted = make([]Entry, 0, len(view)), make([]Entry, 0, len(view))
	for i := range view { // an entry is large
		e := &view[i]
		switch e.Op {
		case OpDir, OpFile, OpLink:
			if !beneathAny(e.Path, on) {
				names = append(names, *e)
				continue
			}
		case OpBind, OpTmpfs, OpProc, OpDevpts, OpMask, OpTrap, OpOverlay, OpAppend, OpBounded, OpStored:
			on[e.Path] = true
		}
		mounted = append(mounted, *e)
	}
	return names, mounted
}

// Has reports whether something is mounted at a path of the view, or above it.
func (p Plan) Has(at string) bool {
	return slices.ContainsFunc(p.View, func(e Entry) bool {
		switch e.Op {
		case OpBind, OpTmpfs, OpProc, OpDevpts, OpMask, OpOverlay, OpAppend, OpBounded, OpStored:
			return within(at, e.Path)
		case OpDir, OpFile, OpLink, OpTrap:
		}
		return false
	})
}

// beneathAny reports whether one of the directories above p, without the root, is
// in on.
func beneathAny(p string, on map[string]bool) bool {
	for d := above(p); d != "/"; d = above(d) {
		if on[d] {
			return true
		}
	}
	return false
}

// above is the directory that a path of a view is in. Such paths are absolute and
// clean, so that it is the same text without its end.
func above(p string) string {
	i := strings.LastIndexByte(p, '/')
	if i <= 0 {
		return "/"
	}
	return p[:i]
}

// LimitPlan says how each bound is kept.
type LimitPlan struct {
	Limits
	Cgroup []string `json:"cgroup,omitempty"`  // bounds kept for the sandbox as a whole
	User   []string `json:"user,omitempty"`    // bounds kept for the sandbox's own user namespace
	PIDMax int64    `json:"pid_max,omitempty"` // bound of the pid namespace, where nobody asked for another
	Weaker []string `json:"weaker,omitempty"`  // bounds that only resource limits keep here, by process
}

// Text prints the plan for people and golden files: indented JSON.
func (p Plan) Text() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return fmt.Appendf(nil, "internal error: print plan: %v\n", err)
	}
	return b.Bytes()
}

// Digest identifies the plan in reports and records.
func (p Plan) Digest() string {
	sum := sha256.Sum256(p.Text())
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Leading are the directories of the view's own root, below the first level,
// that something is mounted in. In a plan that asks the one that the program begins
// in may be another: what it touches first is mounted there.
func (p Plan) Leading() (dirs []string) {
	mounted := make(map[string]bool, len(p.View))
	for i := range p.View {
		switch e := &p.View[i]; e.Op {
		case OpDir, OpFile, OpLink: // no mounts
		default:
			mounted[e.Path] = true
		}
	}
	add := func(d string) {
		if d == "/" || path.Dir(d) == "/" || slices.Contains(dirs, d) {
			return
		}
		for up := d; up != "/"; up = path.Dir(up) {
			if mounted[up] {
				return
			}
		}
		dirs = append(dirs, d)
	}
	for i := range p.View {
		switch e := &p.View[i]; {
		case mounted[e.Path]:
			add(path.Dir(e.Path))
		case e.Op == OpDir && e.Path == p.Program.Dir && p.Asks():
			add(e.Path)
		}
	}
	return dirs
}
