// Package trap serves the file system that lies beneath a lazy view: what was
// granted is mounted on top of it and never reaches it, and what was not
// reaches nothing else.
//
// It speaks the FUSE protocol over one open device and knows only names. It
// does not mount, ask, or decide: whoever touches something of the host that
// the view has not waits in that very system call, Config.Touch is told, and
// its errno is the call's answer. ESTALE makes the kernel walk the path once
// more, so a call whose object was mounted meanwhile goes on with the object.
//
// The trap must be mounted with rootmode=40000, allow_other, nosuid and nodev,
// and not noexec: the kernel would refuse the execution of a hidden file before
// it asks. Whoever serves must not walk the view, nor wait for somebody who
// does.
//
// What a program learns without a question: whether a name exists on the host,
// whether it is a directory, a link or something else, and a link's target.
// Sizes, times, owners, modes and the names in a hidden directory it does not.
//
// Invariants, each with the test that holds it:
//   - A lookup never asks, and waits for nobody but a file system of the host
//     that does not answer (TestLookupNeverWaits, TestSlowHost).
//   - The call that touches succeeds, or fails with the errno that was given
//     (TestTouch, TestTouchRun, TestSettle).
//   - What is told, and can be mounted, is what has that name now (TestReplaced).
//   - Nobody is asked while the kernel holds a lock that the mount would wait
//     for (TestLocked).
//   - A killed process waits for nobody; a handled signal makes no call fail
//     (TestKill, TestSignal).
//   - Names that are known and calls that wait are bounded (TestForget,
//     TestWaitingBound).
//   - No request, however malformed, stops the server (FuzzRequest).
//   - When the server dies, nobody hangs (TestServerKilled, TestEnd).
//
// This package is a mechanism: it imports nothing of the module.
package trap

// Kind is what a touch wants of its object.
type Kind uint8

// The kinds of touch. Run is also told for the look that the kernel takes at a
// file before it executes it.
const (
	Look  Kind = iota // stat, access, chdir
	Read              // open for reading
	List              // open a directory
	Run               // execute
	Write             // open for writing
	Pass              // open a directory on the way of a path, where a proxy walks
)

func (k Kind) String() string {
	switch k {
	case Look:
		return "look"
	case Read:
		return "read"
	case List:
		return "list"
	case Run:
		return "run"
	case Write:
		return "write"
	case Pass:
		return "pass"
	default:
		return "unknown"
	}
}

// A Name is something that the view has of its own: a directory, a symbolic
// link, or a small file. Exactly one of Dir, Link and Content is looked at, in
// this order; without any it is an empty file, which can be mounted on.
type Name struct {
	Path    string // absolute and clean
	Dir     bool
	Link    string
	Content []byte
	Mode    uint32 // permission bits; 0 is 0755 for a directory, 0644 for a file
}
