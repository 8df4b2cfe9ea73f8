package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// newToken is a number of seconds that nobody else sleeps, to know our
// processes by.
func (m *measurer) newToken() string {
	m.token++
	return fmt.Sprintf("60.%07d%03d", os.Getpid(), m.token)
}

func arguments(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

func pids() (all []int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

func processesWith(token string) (found []int) {
	for _, pid := range pids() {
		if pid != os.Getpid() && slices.Contains(arguments(pid), token) {
			found = append(found, pid)
		}
	}
	return found
}

func isPayload(pid int, seconds string) bool {
	args := arguments(pid)
	return len(args) == 2 && filepath.Base(args[0]) == "sleep" && args[1] == seconds
}

func payloads(seconds string) (n int) {
	for _, pid := range pids() {
		if isPayload(pid, seconds) {
			n++
		}
	}
	return n
}

func kill(some []int) {
	for _, pid := range some {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// family is a process and all that descends from it.
func family(top int) []int {
	children := map[int][]int{}
	for _, pid := range pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The name in brackets may hold anything; the parent is the second after it.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{top}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

func pssOf(pid int) (int64, error) { return smapsOf(pid, "Pss:") }

// smapsOf is one line of what a process has mapped, in bytes.
func smapsOf(pid int, name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == name {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in smaps_rollup of %d", name, pid)
}
