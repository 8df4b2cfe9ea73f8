// Command ambit-policy reads the managed policies of a machine and says which
// requests they forbid. It is started by ambit, with a socket to it as descriptor
// 3, and is of no use by itself.
//
// It is a program of its own so that a run without policies does not pay for what
// evaluates them, and so that a fault in that reaches nothing but their folder.
package main
