package inside

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Bounds of one look for a program: a sandbox with more than that is not
// searched to the end.
const (
	maxProcesses   = 512
	maxDescriptors = 1024
)

// FindProgram looks for the process that has a socket among root, the first
// process of a sandbox, and what descends from it. guess, if it is not 0, is looked
// at first: who has connected connects again. The zero Program is none.
func FindProgram(root, guess int, inode uint32) Program {
	want := fmt.Sprintf("socket:[%d]", inode)
	left := maxDescriptors
	if guess > 0 && has(guess, want, &left) {
		return program(guess)
	}
	for _, pid := range descendants(root) {
		if pid != guess && has(pid, want, &left) {
			return program(pid)
		}
	}
	return Program{}
}

func program(pid int) Program {
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // "" if it has ended
	return Program{Name: strings.TrimSuffix(string(name), "\n"), PID: pid}
}

func has(pid int, want string, left *int) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	d, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(*left) // what could be read counts
	*left -= len(names)
	for _, name := range names {
		if to, err := os.Readlink(filepath.Join(dir, name)); err == nil && to == want {
			return true
		}
	}
	return false
}

// descendants are root and the processes below it, breadth first: the newest
// programs are at the end, which is where a connection mostly comes from.
func descendants(root int) []int {
	all := []int{root}
	for i := 0; i < len(all) && len(all) < maxProcesses; i++ {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", all[i]))
		if err != nil {
			continue
		}
		for _, t := range tasks {
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", all[i], t.Name()))
			for f := range strings.FieldsSeq(string(text)) {
				if pid, err := strconv.Atoi(f); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	return all
}
