package main

import "fmt"

// startTables are the starts, alone and a hundred at once, and the memory around a program.
func (r *results) startTables(p func(string, ...any), table, row func(...string)) {
	if len(r.Start) > 0 {
		p("\n## Start to exit of `/bin/true`\n\n![](start.svg)\n\n")
		p("Ambit with three grants and a durable audit record; bubblewrap and runc with the same folders, firejail with as much of that as it can. Milliseconds.\n\n")
		table("", "minimum", "median", "median × plain", "median × bubblewrap", "20,000 files, median", "× small folder")
		for _, one := range r.Peers {
			s, t := r.Start[one.Name], r.InTree[one.Name]
			row(one.Name, ms(s.min()), ms(s.median()), times(ratio(s.median(), r.Start["plain"].median())),
				times(ratio(s.median(), r.Start["bubblewrap"].median())), ms(t.median()), times(ratio(t.median(), s.median())))
		}
	}
	if len(r.Many) > 0 {
		p("\n## A hundred at once\n\nA hundred launchers of `/bin/true` started together in one folder, three times; then ten sleeping programs whose launchers are killed with SIGKILL.\n\n")
		table("", "wall, median, s", "× bubblewrap", "failed of 300", "left over", "outlive the launcher, of 10")
		for _, one := range r.Peers {
			m := r.Many[one.Name]
			row(one.Name, fmt.Sprintf("%.2f", m.Wall.median().Seconds()), times(ratio(m.Wall.median(), r.Many["bubblewrap"].Wall.median())),
				fmt.Sprint(m.Failed), fmt.Sprint(m.Orphans), fmt.Sprint(m.Survived))
		}
	}
	if len(r.Memory) > 0 {
		p("\n## Memory of the supervisors\n\nProportional set size of every process around one idle program, the program left out.\n\n")
		table("", "processes", "PSS, MB")
		for _, one := range r.Peers {
			m := r.Memory[one.Name]
			size := fmt.Sprintf("%.1f", float64(m.PSS)/1e6)
			if m.PSS < 0 {
				size = "not readable by this user"
			}
			row(one.Name, fmt.Sprint(m.Processes), size)
		}
	}
}

// jobTable is the jobs in each sandbox.
func (r *results) jobTable(p func(string, ...any), table, row func(...string)) {
	names := r.jobNames()
	if len(names) == 0 {
		return
	}
	p("\n## Jobs, without the start\n\n![](jobs.svg)\n\n")
	p("Each job runs twice inside one sandbox and is timed there, again and again; nothing is subtracted. `git status`, `tar` and `find` work on a repository of 20,000 files; `go build` links a small program. Medians: plain in milliseconds, the others × plain; in brackets minimum × minimum.\n\n")
	head := []string{""}
	for _, one := range r.Peers {
		head = append(head, one.Name)
	}
	table(head...)
	for _, name := range names {
		cells := []string{name}
		for _, one := range r.Peers {
			s, plain := r.Jobs[name][one.Name], r.Jobs[name]["plain"]
			switch {
			case len(s) == 0:
				cells = append(cells, "fails")
			case one.Name == "plain":
				cells = append(cells, ms(s.median())+" ms")
			default:
				cells = append(cells, fmt.Sprintf("%s (%.2f)", times(ratio(s.median(), plain.median())), ratio(s.min(), plain.min())))
			}
		}
		row(cells...)
	}
}
