package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Offers reports whether Create can limit by a controller (memory, pids, cpu)
// here, and if not, why.
func (f Facts) Offers(controller string) (why string, ok bool) {
	_, _, why = f.place(controller)
	return why, why == ""
}

// Has answers an error unless the process is in every directory of the group.
func (g *Group) Has(pid int) error {
	for _, d := range g.dirs {
		text, err := os.ReadFile(filepath.Join(d.path, "cgroup.procs"))
		if err != nil {
			return fmt.Errorf("read cgroup: %w", err)
		}
		if !slices.Contains(strings.Fields(string(text)), strconv.Itoa(pid)) {
			return fmt.Errorf("process %d is not in cgroup %s", pid, d.path)
		}
	}
	return nil
}
