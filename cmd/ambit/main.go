// Command ambit runs software that nobody has reason to trust with exactly
// the capabilities that it was granted.
//
// This package joins the parts: flags in, parts opened, text or JSON out. It
// decides nothing and enforces nothing itself.
package main

import (
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
