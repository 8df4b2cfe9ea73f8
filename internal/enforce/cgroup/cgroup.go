// Package cgroup limits what a sandbox uses of the host: memory, processes,
// processor time.
//
// It takes what the host has: the unified hierarchy (version 2) where a
// controller is there and our own cgroup may be divided, else the controller's
// own hierarchy (version 1). It does not move anybody else's processes, does
// not ask systemd, and does not fall back to rlimits, which count per user or
// per process and are a weaker promise under another name.
//
// Invariants, each with the test that holds it:
//   - A group has every limit that was asked for, or there is no group
//     (TestAllOrNothing).
//   - A limit that was reached can be told from the group's numbers
//     (TestMemoryLimit, TestPIDsLimit, TestCPULimit).
//   - What is left behind by a launcher that died is removed by the next one,
//     and nothing that a living one made (TestSweep).
//
// This package is a mechanism: it imports nothing of the module. A process
// enters a group by writing "0" into each descriptor of ProcsFDs, which needs
// nothing but the write call.
package cgroup

import (
	"errors"
	"fmt"
	"strings"
)

// Limits are what a group may use. Zero is no limit.
type Limits struct {
	MemoryBytes int64 // of memory and swap together; swap is closed where the kernel counts it
	PIDs        int64 // threads and processes
	CPUMilli    int64 // thousandths of one processor; at least 10
}

// ErrUnavailable says that the host offers no way to set some limit. Its text
// says for each controller why.
var ErrUnavailable = errors.New("limits cannot be set")

// minCPUMilli is the kernel's smallest quota, 1 ms, of a period of 100 ms.
const minCPUMilli = 10

func (l Limits) check() error {
	switch {
	case l.MemoryBytes < 0, l.PIDs < 0, l.CPUMilli < 0:
		return fmt.Errorf("negative limit in %+v", l)
	case l.CPUMilli != 0 && l.CPUMilli < minCPUMilli:
		return fmt.Errorf("processor limit of %d thousandths; the smallest is %d", l.CPUMilli, minCPUMilli)
	}
	return nil
}

// controllers are those that l needs.
func (l Limits) controllers() (needed []string) {
	if l.MemoryBytes > 0 {
		needed = append(needed, memory)
	}
	if l.PIDs > 0 {
		needed = append(needed, pids)
	}
	if l.CPUMilli > 0 {
		needed = append(needed, cpu)
	}
	return needed
}

// The names of controllers in both versions.
const (
	memory = "memory"
	pids   = "pids"
	cpu    = "cpu"
)

// unavailable makes an ErrUnavailable of one reason a controller.
func unavailable(reasons []string) error {
	return fmt.Errorf("%w: %s", ErrUnavailable, strings.Join(reasons, "; "))
}
