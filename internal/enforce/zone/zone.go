// Package zone serves folders of the host whose rule no mount can say: what lies
// in an append-only zone stays, and grows.
//
// It speaks the FUSE protocol over one open device, runs outside of the sandbox,
// and opens files of the host for appending only. Whoever is root inside, and
// whatever the kernel there believes of a file, the bytes that are there are not
// within reach: the server has no request that changes them.
//
// What a program can do: look, list, make files and folders, append, sync, and
// read where Config.Read says so. A write is taken at the end of its file, which
// the server looks up under a lock that all servers of a zone share. What is
// neither a file nor a folder, and what is mounted beneath, is not there.
//
// The zone must be mounted with default_permissions, allow_other, nosuid, nodev and
// noexec. Whoever serves must not walk it while it holds what a request needs.
//
// Invariants, each with the test that holds it:
//   - Of the bytes that are there none changes, whatever is requested
//     (TestNothingChanges, FuzzRequest).
//   - What two servers append to one file is all there (TestTwoServers).
//   - Nothing outside of the folder is reached, by links neither (TestOutside).
//   - Bounds hold, also over several files and folders (TestBounds), and over several
//     servers that count together (TestTally).
//   - What is denied is not read, or not added to, by whatever name (TestDenied).
//   - No request, however malformed, stops the server (FuzzRequest).
//
// One that can be changed (Config.Change) promises its bounds alone, and that nothing
// outside of it is reached (TestChangeBounds, TestChangeOutside, FuzzChange).
//
// This package is a mechanism: it decides nothing.
package zone

import "errors"

// Config is what a zone is made of.
type Config struct {
	// Path is the folder or file of the host, without links, and Dev and Ino are
	// what was decided about.
	Path     string
	Dev, Ino uint64
	// Read says that contents can be read, not only written.
	Read bool
	// Single: the user namespace of the mount has UID and GID alone, and everything
	// is shown as theirs. Otherwise it has every id, and all is shown as it is.
	Single   bool
	UID, GID uint32
	// Late: what writes says where it takes the end to be, and may have looked a
	// moment ago. A write at the end that it was told last is one at the end.
	Late bool
	// Bytes and Files bound what the zone holds; 0 is no bound. What others than
	// this server put there counts when it begins.
	Bytes, Files int64
	// Tally, if it is set, is a file in which servers of the zone count together:
	// what each adds counts for all of them at once.
	Tally  string
	Denied []Denied
	// Change has what is there be changed and removed too, and everything be read:
	// the zone is then there for its bounds. It needs a Tally, has one server at a
	// time, and no Denied.
	Change bool
}

// A Denied is a file or folder, with what is beneath, that is closed: its name is
// there, and no more. It is known by its path and by what it is.
type Denied struct {
	Path     string // relative to the zone
	Read     bool   // it can be read
	Dev, Ino uint64
}

// errReplaced says that something else has the path now.
var errReplaced = errors.New("it was replaced while launching")
