package seccomp

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// listenerFlags go together: without WAIT_KILLABLE_RECV (Linux 5.19) a signal
// restarts a held call, and a timer shorter than an answer restarts it forever.
const listenerFlags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV

// Flags returns the flags for seccomp(SECCOMP_SET_MODE_FILTER): those of a
// listener where the filter holds calls, else none.
func (o Options) Flags() uintptr {
	if o.Holds() {
		return listenerFlags
	}
	return 0
}

// Filter returns the whole program for this architecture.
//
// Security: holds for the thread that installs it and for all that comes from
// it, if that thread has set no_new_privs, makes no other thread before it
// installs, and installs nothing that answers in its place. It does not look
// at memory, at paths or at what a descriptor is; those belong to the view, to
// Landlock and to the namespaces.
func Filter(o Options) ([]unix.SockFilter, error) {
	a, err := native()
	if err != nil {
		return nil, err
	}
	return a.assemble(rules(o))
}

// Program wraps a filter for the kernel, which takes its address. The program
// points to the filter; it must be kept reachable until it was installed.
func Program(filter []unix.SockFilter) (unix.SockFprog, error) {
	if len(filter) == 0 || len(filter) > maxProgram {
		return unix.SockFprog{}, fmt.Errorf("filter of %d instructions", len(filter))
	}
	return unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}, nil
}

func native() (abi, error) {
	for _, a := range abis {
		if a.goarch == runtime.GOARCH {
			return a, nil
		}
	}
	return abi{}, fmt.Errorf("no reviewed system call numbers for %s", runtime.GOARCH)
}
