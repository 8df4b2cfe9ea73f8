package cgroup

import "ambit.dev/ambit/internal/enforce"

// ForPlan makes the group for the bounds that a plan keeps by one, nil where there are
// none. own is how many processes and threads more there are than the program's: the
// tier's.
func ForPlan(p enforce.Plan, own int64) (*Group, error) {
	if len(p.Limits.Cgroup) == 0 {
		return nil, nil
	}
	f, err := Find()
	if err != nil {
		return nil, err
	}
	_ = Sweep(f) // what killed launchers left; it is not this launch's fault
	var l Limits
	for _, name := range p.Limits.Cgroup {
		switch name {
		case "memory":
			l.MemoryBytes = p.Limits.Memory
		case "pids":
			l.PIDs = p.Limits.PIDs + own
		case "cpu":
			l.CPUMilli = p.Limits.CPU
		}
	}
	return Create(f, p.Session, l)
}

// Hit names the bound that the group ran into and that may have ended the program, ""
// if there is none.
func (s Stats) Hit() string {
	switch {
	case s.OOMKills > 0:
		return "memory"
	case s.PIDsRefused > 0:
		return "pids"
	}
	return ""
}
