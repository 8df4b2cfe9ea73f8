package main

import "strings"

// texts is a flag that may be given more than once. The library's own makes a
// writer of comma-separated values for each such flag when it is declared.
type texts []string

func (t *texts) String() string { return strings.Join(*t, " ") }
func (t *texts) Type() string   { return "stringArray" }

// Set adds a value.
func (t *texts) Set(s string) error {
	*t = append(*t, s)
	return nil
}
