package enforcetest

import "syscall"

// noSignal asks whether a process is there (kill(2)).
const noSignal = syscall.Signal(0)
