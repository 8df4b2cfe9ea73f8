// Package memory gives back what a process took to begin, and does not need while it waits.
//
// Layer: below everything.
package memory
