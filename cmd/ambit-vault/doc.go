// Command ambit-vault keeps secrets: it alone decrypts them. It is started by
// ambit, with a socket to it as descriptor 3, and is of no use by itself.
//
// It is a program of its own so that a run without secrets does not pay for what
// encrypts them, and so that no process that does anything else has the key.
package main
