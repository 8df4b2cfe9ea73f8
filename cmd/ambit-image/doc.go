// Command ambit-image makes images for the microVM tier. It is started by ambit,
// with a socket to it as descriptor 3, and is of no use by itself.
//
// It is a program of its own so that a run does not pay for what reads kernels and
// makes file systems.
package main
