// Package frame carries packets between the link of a sandbox and a user-mode
// TCP/IP stack (gVisor's netstack).
//
// A link is a descriptor: a packet socket on the far end of a veth pair, a tun
// device, or a socket of QEMU, for datagrams or for a stream with lengths. What
// comes from it is written by the sandbox and is not looked into here, beyond
// the link's own header; what does not fit is dropped, and a stream that lost
// its framing ends.
//
// Invariants: a link reads with one goroutine, which Wait waits for; after Close
// neither it nor the descriptor is left; nothing waits for a sandbox that does
// not read, its packets are dropped.
//
// The package decides nothing and knows no flows.
package frame
