//go:build !linux

// ambit-runsc is the second kernel of a sandbox, which runs on Linux.
package main

import "os"

func main() { os.Exit(1) }
