package main

import (
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// shellWord quotes s for a command line that a person may copy. It is for
// display: control characters are shown escaped.
func shellWord(s string) string {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-", r)
	}) < 0
	if plain && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(capability.Printable(s), "'", `'\''`) + "'"
}

// termGrace is how long a program may take to end after SIGTERM or SIGHUP.
const termGrace = 5 * time.Second

// endAfterGrace kills what ignores the request to end.
func endAfterGrace(inside enforce.Session, done <-chan struct{}) {
	select {
	case <-done:
	case <-time.After(termGrace):
		_ = inside.Kill() // it may have ended
	}
}
