// Package namespace starts a process in new namespaces without running any Go
// code in it.
//
// A List is a row of raw system calls that is prepared in full, strings and
// structures included, before the process exists. The process is made with
// clone(CLONE_VM), the thread that made it waiting, runs the row, and ends it with an execve; no
// second start of a Go runtime and no helper program is paid for. Between
// clone and execve it shares the parent's memory but neither its descriptors
// nor its namespaces.
//
// The package also holds the image of the init process: a few hundred bytes
// of machine code, process 1 of the sandbox, which waits until it is released,
// starts the program, passes signals on and reaps.
//
// It knows nothing of views, filters or limits: whoever builds the List does.
package namespace
