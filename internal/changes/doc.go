// Package changes keeps what a session changed of a directory apart from it, says
// what that is, and applies it or drops it.
//
// The kernel keeps the changes, as overlayfs does: a file that was changed or made
// is there whole, one that was removed is a mark, and so is a directory of which
// nothing but what is there counts. Everything there was written by a program that
// nobody trusts, and is read as such.
//
// Invariants:
//
//   - Nothing is applied to what somebody else has changed since the session began.
//   - A set of changes is applied whole or not at all. Whoever is interrupted in the
//     middle of it has left a journal, and it is undone before anything else is done.
//   - Nothing is written outside of the directory, whatever links lie in it.
//
// Layer: it imports nothing of ours, and decides nothing.
package changes
