// Command ambit-guard becomes QEMU, in the jail that the microVM tier starts it in,
// after it has closed what that jail leaves open.
//
// A clone's memory is a private copy of a template's file, which QEMU opens for
// writing all the same. With --frozen no file that is open can be changed by a
// descriptor: one machine could otherwise write into all others that come from the
// same template.
//
//	ambit-guard [--frozen] -- PROGRAM [ARG…]
//
// It is no boundary by itself: it narrows the one that it is started in.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "ambit-guard: %v\n", err)
		os.Exit(125)
	}
}

func run(args []string) error {
	frozen := len(args) > 0 && args[0] == "--frozen"
	if frozen {
		args = args[1:]
	}
	if len(args) < 2 || args[0] != "--" {
		return errors.New("usage: ambit-guard [--frozen] -- PROGRAM [ARG…]; ambit starts it, people do not")
	}
	return become(args[1:], frozen)
}
