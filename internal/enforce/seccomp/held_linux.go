package seccomp

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Held returns a program that holds changes by a path and executions, and refuses no call
// that is known: for programs that have a kernel of their own, whose calls concern nobody
// else. Who only asks whether something may be done is told what is.
//
// Security: it lets calls be asked about, and bounds nothing.
func Held() ([]unix.SockFilter, error) {
	a, err := native()
	if err != nil {
		return nil, err
	}
	asks := mays()
	return a.assemble(slices.DeleteFunc(holds(Options{HoldChanges: true, HoldRuns: true}), func(r rule) bool {
		return slices.ContainsFunc(asks, func(m rule) bool { return m.call == r.call })
	}))
}

// HeldFlags are those of seccomp(SECCOMP_SET_MODE_FILTER) for Held.
const HeldFlags = uintptr(listenerFlags)
