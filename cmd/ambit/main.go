// Command ambit runs software that nobody has reason to trust with exactly
// the capabilities that it was granted.
//
// This package joins the parts: flags in, parts opened, text or JSON out. It
// decides nothing and enforces nothing itself.
//
// How many processors a control group leaves is not asked for (it would be read
// from five files, at each start and again and again): a launcher has little to
// compute. Package entry keeps the runtime from looking.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import "os"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
