// Package entry is where ambit begins, before Go does: what Go's runtime does for
// itself at each start, and a launcher has no use for, is spared.
//
//   - Timers of `ambit run` may be a millisecond late: package thread says why.
//   - No file can be opened until the first package is initialised. The runtime looks for
//     the control group that bounds its processors, in four files, one of them a list of
//     all mounts. It does so whatever settings say (cmd/ambit has it ignore what it finds),
//     and goes on where there is nothing to be opened. That takes a start 0.2 ms.
//   - No allocation is remembered for a profile. The linker turns that off in a program that
//     makes none, but only after the first one was: with its stack, and a table of 1.4 MB.
//   - The first goroutine has a stack of 32 KiB before any package but the runtime's is
//     initialised. Else it grows four times, and what is on it is looked through each time.
//
// A program begins here that is linked with -E=ambit.dev/ambit/internal/entry.Entry.
//
// Invariant: this package imports nothing but runtime, so that it is initialised before every other
// one but those of the runtime. Package syscall reads the limit of open files
// when it is initialised, for itself and for programs that are started; it must find the one
// that this process was started with.
//
// Layer: below everything.
package entry
