package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Stats are what a group has used and where it was stopped. What the kernel
// does not count is zero.
type Stats struct {
	MemoryPeak   int64         // bytes
	OOMKills     int64         // processes killed for want of memory
	OOMGroups    int64         // how often all were, which counts the first one twice
	PIDsPeak     int64         // processes and threads at once
	PIDsRefused  int64         // forks and clones that failed
	CPUThrottled time.Duration // waited with work to do
}

// Stats reads the group's numbers. They go with the group: read them before
// Remove.
func (g *Group) Stats() (Stats, error) {
	var s Stats
	var errs []error
	for _, d := range g.dirs {
		for _, c := range d.controllers {
			for _, n := range d.numbers(c, &s) {
				v, err := n.read(d.path)
				if errors.Is(err, fs.ErrNotExist) {
					continue // newer than the kernel
				}
				if err != nil {
					errs = append(errs, err)
				}
				*n.to = v * n.scale
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Stats{}, fmt.Errorf("read cgroup: %w", err)
	}
	return s, nil
}

// A number is one value in a control file: the whole file, or what follows key
// on a line of its own.
type number struct {
	file, key string
	to        *int64
	scale     int64
}

func (d directory) numbers(controller string, s *Stats) []number {
	throttled := (*int64)(&s.CPUThrottled)
	switch {
	case controller == memory && d.unified:
		return []number{{"memory.peak", "", &s.MemoryPeak, 1}, {"memory.events", "oom_kill", &s.OOMKills, 1},
			{"memory.events", "oom_group_kill", &s.OOMGroups, 1}}
	case controller == memory:
		return []number{{"memory.max_usage_in_bytes", "", &s.MemoryPeak, 1}, {"memory.oom_control", "oom_kill", &s.OOMKills, 1}}
	case controller == pids:
		return []number{{"pids.peak", "", &s.PIDsPeak, 1}, {"pids.events", "max", &s.PIDsRefused, 1}}
	case controller == cpu && d.unified:
		return []number{{"cpu.stat", "throttled_usec", throttled, 1000}}
	case controller == cpu:
		return []number{{"cpu.stat", "throttled_time", throttled, 1}}
	}
	return nil
}

func (n number) read(dir string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(dir, n.file))
	if err != nil {
		return 0, err
	}
	if n.key == "" {
		return strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == n.key {
			return strconv.ParseInt(f[1], 10, 64)
		}
	}
	return 0, nil
}

// Reached says in words which of the limits the group ran into.
func (s Stats) Reached(l Limits) []string {
	var out []string
	if l.MemoryBytes > 0 && s.OOMKills > 0 {
		out = append(out, fmt.Sprintf("memory limit of %s reached: %s killed", size(l.MemoryBytes), count(max(1, s.OOMKills-s.OOMGroups), "process", "processes")))
	}
	if l.PIDs > 0 && s.PIDsRefused > 0 {
		out = append(out, fmt.Sprintf("limit of %s reached: %s refused", count(l.PIDs, "process", "processes"), count(s.PIDsRefused, "start", "starts")))
	}
	if l.CPUMilli > 0 && s.CPUThrottled >= time.Second {
		out = append(out, fmt.Sprintf("processor limit of %.2f reached: waited %s", float64(l.CPUMilli)/1000, s.CPUThrottled.Round(100*time.Millisecond)))
	}
	return out
}

func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func size(bytes int64) string {
	for _, u := range []struct {
		shift uint
		name  string
	}{{30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if bytes >= 1<<u.shift {
			return fmt.Sprintf("%.4g %s", float64(bytes)/float64(int64(1)<<u.shift), u.name)
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}
