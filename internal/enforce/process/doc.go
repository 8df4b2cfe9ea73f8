// Package process is the process tier: it applies a Plan with the host's own
// kernel. Namespaces and a private view take things away, Landlock makes sure
// of what slipped in, and a system call filter closes what no other layer sees.
//
// Nothing needs root, and root is confined by the same code. The program is
// process 2 of its own pid namespace; process 1 is a tiny init under the same
// confinement, which waits at the threshold until every layer was read back.
//
// Invariants: a step of the set-up that does not do what it must ends the
// launch; a promised layer that does not hold when it is read back ends it too;
// when the launcher or the init dies, the kernel ends everything inside.
//
// Layer: a tier, over the mechanisms; it knows plans, not capabilities' rules.
package process
