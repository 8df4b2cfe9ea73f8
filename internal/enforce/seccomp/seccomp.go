// Package seccomp makes the system call filter of a sandbox, and answers the
// calls that this filter holds.
//
// The filter allows what its table does not name. It closes kernel interfaces
// that no other layer of a sandbox sees; it is not the layer that hides files,
// processes or the network. Where a rule depends on an argument, the argument
// is a value in a register: what lies in the program's memory can change after
// any look at it, so no rule and no answer may depend on that for safety.
//
// Nothing here installs a filter. The process that is confined runs a prepared
// list of raw system calls and is given the bytes made here.
//
// Invariants, each with the test that holds it:
//   - A call through a foreign architecture kills the process; x32 numbers and
//     numbers nobody reviewed answer ENOSYS (TestHeads, TestForeignABIKills).
//   - The assembled program and its table decide alike (TestAgainstTable,
//     FuzzAgainstTable), for both architectures, and every call number has its
//     reviewed answer (TestGolden).
//   - A refusal comes before a hold: no answer of the notifier can let a refused
//     call through (TestRefusalBeforeHold).
//   - Each refusal is seen in a running kernel (TestInstalled).
//
// This package is a mechanism: it imports nothing of the module.
package seccomp

// Options choose what the filter does beyond its fixed refusals. The zero
// value holds nothing and allows everything that is not refused to everybody.
type Options struct {
	// NoSpawn holds execve, execveat and every fork, vfork and clone that makes
	// a process rather than a thread. The first of them is the start of the
	// program itself: whoever answers must not be who waits for that start.
	NoSpawn bool
	// LimitExec refuses memfd_create without MFD_NOEXEC_SEAL: a memory file
	// could be executed though no mount of the view is executable.
	LimitExec bool
	// HoldConnect holds connect.
	HoldConnect bool
	// HoldSendto holds sendto with an address. It is separate because every
	// datagram of a program that does not connect its socket pays for it.
	HoldSendto bool
	// HoldOpen holds open, openat, creat, execve and execveat, so that refusals
	// can be told. openat2 stays refused: its flags and mode lie in memory.
	HoldOpen bool
	// HoldChanges holds every call by a path that makes, changes or removes
	// something, before the kernel locks a directory for it: open for writing,
	// creating or as a path only (O_PATH), mkdir, rename, chmod and their like.
	HoldChanges bool
	// HoldLooks holds every open, and every other call by a path that tells about
	// a file or goes to a directory: stat, access, readlink, chdir, statfs,
	// inotify_add_watch and their like. With HoldChanges and HoldRuns no name is
	// walked to that nobody was told of, but for those in the kernel's own search
	// (an interpreter in execve) and for AT_EMPTY_PATH.
	HoldLooks bool
	// HoldRuns holds execve and execveat; the latter without HoldLooks only where it names
	// what it executes for certain, without AT_EMPTY_PATH.
	HoldRuns bool
	// HoldListens holds listen.
	HoldListens bool
	// HoldSockets holds socket of the families that have to do with the network, and
	// the requests of ioctl by which any socket tells of interfaces.
	HoldSockets bool
	// AllowPtrace lifts the refusal of ptrace and of nothing else. The pid
	// namespace and Landlock keep it inside the sandbox.
	AllowPtrace bool
	// KeepDeathSignal refuses prctl(PR_SET_PDEATHSIG) with anything but SIGKILL,
	// so that the program cannot outlive its supervisor by clearing the signal
	// that was set for it. Needed where the program itself has that signal.
	KeepDeathSignal bool
	// NoGroupSignal refuses to signal the own process group without naming it.
	// That group may have processes outside of the sandbox, which a pid namespace
	// does not keep from getting the signal; Landlock does, from version 6 on.
	NoGroupSignal bool
}

// Holds reports whether any rule waits for an answer, that is, whether the
// filter must be installed with a listener.
func (o Options) Holds() bool {
	return o.NoSpawn || o.HoldConnect || o.HoldSendto || o.HoldOpen || o.HoldChanges || o.HoldLooks || o.HoldRuns || o.HoldListens || o.HoldSockets
}
