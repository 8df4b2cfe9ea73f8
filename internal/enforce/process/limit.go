//go:build linux

package process

import (
	"slices"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// resourceLimit is one call of prlimit(2).
type resourceLimit struct {
	name       string
	resource   int
	soft, hard uint64
}

// Soft bounds that programs expect; the hard bound stays that of the launcher.
const usualFDs = 1024

// resourceLimits are the bounds that the kernel keeps for each process. Memory,
// processes and CPU are here only where no control group can be had; they are
// weaker: by process, not by sandbox.
func resourceLimits(p enforce.LimitPlan) []resourceLimit {
	// One byte, not zero: the kernel then starts no handler on the host for a
	// core dump either (core(5), "Piping core dumps to a program").
	ls := []resourceLimit{{"core dumps", unix.RLIMIT_CORE, 1, 1}}
	fds := resourceLimit{"open files", unix.RLIMIT_NOFILE, usualFDs, inherited(unix.RLIMIT_NOFILE)}
	if p.FDs > 0 {
		fds.soft, fds.hard = min(uint64(p.FDs), fds.hard), min(uint64(p.FDs), fds.hard)
	}
	fds.soft = min(fds.soft, fds.hard)
	ls = append(ls, fds)
	if p.Disk > 0 {
		ls = append(ls, bounded("file size", unix.RLIMIT_FSIZE, p.Disk))
	}
	if slices.Contains(p.Weaker, "memory") {
		ls = append(ls, bounded("memory", unix.RLIMIT_DATA, p.Memory))
	}
	if p.PIDs > 0 && !slices.Contains(p.Cgroup, "pids") {
		ls = append(ls, bounded("processes", unix.RLIMIT_NPROC, p.PIDs))
	}
	return ls
}

func bounded(name string, resource int, value int64) resourceLimit {
	v := min(uint64(value), inherited(resource))
	return resourceLimit{name, resource, v, v}
}

func inherited(resource int) uint64 {
	var l unix.Rlimit
	if unix.Getrlimit(resource, &l) != nil {
		return unix.RLIM_INFINITY
	}
	return l.Max
}
