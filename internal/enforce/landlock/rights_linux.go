package landlock

import "golang.org/x/sys/unix"

// Required is the oldest ABI that a sandbox may be built on: with it came moving
// files between folders, without which programs do not work. A host below it
// must be refused. What later ones added and a host does not have, Steps says;
// whoever builds a sandbox there has to name it.
const Required = 2

// A Step is what one ABI added.
type Step struct {
	ABI     int
	Rights  uint64 // of files
	Scopes  uint64
	Flags   uint32 // of landlock_restrict_self
	Without string // what a host below this ABI leaves open
}

// steps ends with the newest ABI that somebody looked at. Of a newer kernel only
// what is here is used.
var steps = []Step{
	{ABI: 1, Rights: 1<<13 - 1, // EXECUTE to MAKE_SYM
		Without: "descriptors and mounts that slip in reach the host's files"},
	{ABI: 2, Rights: unix.LANDLOCK_ACCESS_FS_REFER,
		Without: "nothing is left open, but files cannot be renamed or linked from one directory to another"},
	{ABI: 3, Rights: unix.LANDLOCK_ACCESS_FS_TRUNCATE,
		Without: "files beneath a directory descriptor that slips in can be truncated by path"},
	{ABI: 5, Rights: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV,
		Without: "devices outside the view that are open take any ioctl"},
	{ABI: 6, Scopes: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL,
		Without: "processes outside can be signalled, and abstract unix sockets outside connected to, where no namespace hides them"},
	{ABI: 7, Flags: unix.LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF | unix.LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF,
		Without: "nothing is left open, but nested domains may fill the host's audit log"},
	{ABI: 9, Rights: unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX,
		Without: "sockets that the host binds in a granted folder after the start can be connected to"},
}

// Steps returns what each ABI added, oldest first.
func Steps() []Step { return append([]Step(nil), steps...) }

// ofFiles are the rights that mean something for what is not a directory; the
// kernel refuses a rule on a file that has others.
const ofFiles = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
	unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV | unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX

// Execute is the right to run a file.
const Execute uint64 = unix.LANDLOCK_ACCESS_FS_EXECUTE

// Connect is the right to connect or send to a unix socket by its path. Sockets
// that the domain itself made need no rule.
const Connect uint64 = unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX

// AllFS returns every right of files that abi has: what a ruleset handles, and
// what the rule beneath the view's root gives.
func AllFS(abi int) uint64 {
	var all uint64
	for _, s := range upTo(abi) {
		all |= s.Rights
	}
	return all
}

// FileRights returns those of AllFS that a rule on a file may give.
func FileRights(abi int) uint64 { return AllFS(abi) & ofFiles }

// Scopes returns the scopes that abi has.
func Scopes(abi int) uint64 {
	var all uint64
	for _, s := range upTo(abi) {
		all |= s.Scopes
	}
	return all
}

// RestrictFlags returns the flags for landlock_restrict_self. They keep the
// domain out of the host's audit log, which no ordinary user can read anyway.
func RestrictFlags(abi int) uint32 {
	var all uint32
	for _, s := range upTo(abi) {
		all |= s.Flags
	}
	return all
}

func upTo(abi int) []Step {
	for i, s := range steps {
		if s.ABI > abi {
			return steps[:i]
		}
	}
	return steps
}
