// Package row has what the rows of calls of several tiers are made of: how a
// process that has just been cloned makes mounts, and its link; and who serves what
// it mounts.
//
// Each function adds calls to a list (see package namespace) that one process will
// make, without Go code, before it executes anything. It changes nothing by itself.
//
// Invariants: an object of the host is opened without following links, and compared
// with the one that was decided about, before it is mounted; no mount has more rights
// than its entry.
//
// Layer: above the mechanisms that it puts together, below the tiers.
package row
