// Package policy reads the managed policies of a machine, in Cedar, and says which
// requests they forbid. It is for ambit-policy alone.
//
// Invariants:
//
//   - It only tightens. A permit is read and has no effect; what no forbid speaks of
//     is not forbidden, and not granted either.
//   - A forbid that cannot be told from one that applies, applies: what is not known
//     (a program, where any may come; a path beneath a folder; a request over a
//     connection that nobody looks into) is taken as it would have to be.
//   - Of a folder that is granted, what a forbid may be about is either closed
//     exactly, by paths, or all of the folder is refused (TestGrants).
//   - A set is used whole, as it stood at one time, or not at all.
//
// Layer: internal/core, internal/companion, internal/policy/wire, and Cedar.
package policy
