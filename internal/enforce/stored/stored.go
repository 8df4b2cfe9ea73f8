// Package stored serves the folder of a view that has what outlives the session: a
// file for each key.
//
// It speaks the FUSE protocol over one open device and runs outside of the sandbox.
// What is opened for reading is one whole version, for as long as it is open. What is
// opened for writing is a draft of the program's own, which becomes the next version
// when the last one who has it open has closed it, unless one of them was killed.
//
// What a program can do: look, list, read, write, truncate, make folders (which last
// as long as the session; a key is all that lasts), and remove, as its rights to each
// key say. There are no links and no other names for what is there, no owner and no
// mode that could be changed, nothing is mapped to be written, and nothing runs.
//
// Invariants, each with the test that holds it:
//   - A key without a right is not there, by no name and by no request (TestNotThere).
//   - Without the right to write nothing is committed or removed; without the right to
//     read no content is told (TestRights).
//   - What is committed is what was written until the last close, whole (TestCommit,
//     TestKilled, TestTwoOpen).
//   - A question keeps nobody waiting but who wants what it is about (TestAsk).
//   - No request, however malformed, stops the server (FuzzRequest).
//
// This package is a mechanism: it decides nothing, and keeps nothing.
package stored

import (
	"maps"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/enforce"
)

// Config is what a folder is served by.
type Config struct {
	Storer enforce.Storer
	// UID and GID own what the folder shows, as the user namespace of its mount has
	// them.
	UID, GID uint32
	// Host translates the id of a process of the sandbox to the host's; 0: it is gone.
	Host func(pid int) int
	// Killed reports whether a process or thread, as the sandbox has it, is being ended
	// by a signal.
	Killed func(pid int) bool
}

// join is the key of a name in a folder.
func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}

// beneath reports whether a key lies beneath a folder; "" is the root.
func beneath(key, folder string) bool {
	if folder == "" {
		return key != ""
	}
	rest, ok := strings.CutPrefix(key, folder)
	return ok && len(rest) > 0 && rest[0] == '/'
}

// A listing is what a folder has, by name: whether it is a folder itself.
type listing map[string]bool

// add notes what leads to a key that lies beneath a folder; leads says that the key
// itself is none.
func (l listing) add(key, folder string, leads bool) {
	if !beneath(key, folder) {
		return
	}
	rest := key
	if folder != "" {
		rest = key[len(folder)+1:]
	}
	name, _, deeper := strings.Cut(rest, "/")
	if deeper || !leads {
		l[name] = l[name] || deeper
	}
}

func (l listing) names() []string { return slices.Sorted(maps.Keys(l)) }
