package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// asks is a question that says which process asks: its number in the sandbox, its name
// and its arguments, as far as the launcher takes them.
func asks(pid int) (q channel.Question) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	if text, err := os.ReadFile(dir + "comm"); err == nil {
		q.Program = bytes.TrimSuffix(text, []byte("\n"))
		q.Program = q.Program[:min(len(q.Program), channel.LongestName)]
	}
	if text, err := os.ReadFile(dir + "cmdline"); err == nil {
		q.Argv = words(text)
	}
	if text, err := os.ReadFile(dir + "status"); err == nil {
		q.PID = inner(text)
	}
	return q
}

// words are the first ones of a /proc/PID/cmdline.
func words(text []byte) (argv [][]byte) {
	text = bytes.TrimRight(text[:min(len(text), channel.LongestArgv)], "\x00")
	if len(text) == 0 {
		return nil
	}
	argv = bytes.Split(text, []byte{0})
	return argv[:min(len(argv), channel.MostArgv)]
}

// inner is the number that the innermost namespace of a process has for it, of a
// /proc/PID/status.
func inner(status []byte) int {
	for line := range bytes.Lines(status) {
		if numbers, ok := bytes.CutPrefix(line, []byte("NSpid:")); ok {
			if all := bytes.Fields(numbers); len(all) > 0 {
				n, _ := strconv.Atoi(string(all[len(all)-1])) // 0: it is not known
				return n
			}
		}
	}
	return 0
}
