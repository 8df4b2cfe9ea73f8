// Package landlock prepares the Landlock domain of a sandbox: a ruleset, and
// the plain numbers with which a process adds its one rule and restricts
// itself.
//
// The domain is the proof against descriptors and mounts that slip into a
// sandbox. Its one rule gives every file right beneath the root of the view and
// none anywhere else, so whatever is mounted in the view later is covered and
// whatever lies elsewhere is not, however it was come by. It is not what hides
// names or metadata: Landlock does not look at stat, access, readlink, chdir,
// O_PATH, chmod, chown, utimes or setxattr.
//
// Network rights are never handled. A rule that is missing at the start can
// never be added, so handling them would close a sandbox's own loopback and
// every later grant; the network namespace is what closes the network.
//
// Invariants, each with the test that holds it:
//   - Every file right that the kernel's ABI has is handled, and every scope
//     (TestRights, TestEachRight).
//   - A descriptor from outside the rule opens nothing beneath itself
//     (TestLeakedDescriptor).
//   - The structures passed to the kernel have its sizes (TestBeneathAttr).
//
// This package is a mechanism: it imports nothing of the module, and restricts
// nobody itself.
package landlock
