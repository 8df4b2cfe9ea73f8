// Package gvisor is the gVisor tier: it applies a Plan with a second kernel, the
// sentry, that runs in user space and answers the program's system calls itself.
//
// Around it stands an outer sandbox of ours: user, mount, pid, network, ipc, uts
// and cgroup namespaces, whose mount tree has the plan's view and nothing else of
// the host. It is made by a row of raw system calls, as that of the process tier,
// with the same care about which object is mounted. The row ends in ambit-runsc,
// process 1 of that pid namespace, which starts the sentry and the process that
// opens files for it, and stays. When the launcher or this process dies, the
// kernel ends everything.
//
// Invariants: rights on files are those of the host's mounts, so that neither the
// program nor its kernel can widen them; a promised layer that does not hold when
// it is read back ends the launch; nothing is left on the host, since all that
// the runtime keeps lies in a file system of the outer mount namespace.
//
// Layer: a tier, over the mechanisms; it knows plans, not capabilities' rules.
package gvisor
