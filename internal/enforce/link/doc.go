// Package link makes the one network link that a sandbox has: an interface in
// the sandbox's network namespace whose other end is a descriptor. Whoever has
// the descriptor is the network.
//
// What has to be done is data: a Setup is a row of system calls with flat
// arguments, netlink messages included. A tier runs it where no Go code can run
// (between clone and exec); Run runs it in the calling thread.
//
// Invariants:
//
//   - The caller has capabilities in a network namespace that is new: nothing
//     of another interface is looked at or changed.
//   - A call that does not do what it must ends the row. Only what is marked as
//     optional (IPv6 on a kernel without it) may fail.
//   - The descriptors that come out are bound to that namespace for good. The
//     sandbox never has them.
//
// The package does not carry packets and knows no rules.
package link
