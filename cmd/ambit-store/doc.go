// Command ambit-store keeps grants and the list of sessions in SQLite. It is
// started by ambit, with the folder of the files and a socket as descriptor 3,
// and is of no use by itself.
//
// It is a program of its own so that a run, which mostly needs no more of the
// store than a small copy of it, does not pay for SQLite at its start.
package main
