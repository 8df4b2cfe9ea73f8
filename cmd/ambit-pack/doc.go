// Command ambit-pack reads and writes packs as they travel. It is started by
// ambit, with a socket to it as descriptor 3, does one task, and is of no use by
// itself.
//
// It is a program of its own so that a run does not pay for what reads archives,
// and so that a fault in what reads them reaches one folder.
package main
