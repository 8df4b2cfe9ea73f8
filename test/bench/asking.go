package main

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// Ways to run Ambit that are compared with each other: with a view that never
// changes, and with one where the first touch of what is hidden is a question.
// Everything that the jobs need is granted from the start.
const (
	fixed          = "ambit"
	byTrap         = "asking"
	byNotification = "asking by notification"
)

// askingPeers are plain and the ways that this user has.
func (m *measurer) askingPeers() []peer {
	ask := func(name string, flags ...string) peer {
		return peer{Name: name, argv: func(b box, args []string) ([]string, error) {
			argv, err := m.ambitArgv(b, args)
			return slices.Insert(argv, 2, append([]string{"--ask", "queue", "--ask-timeout", "0"}, flags...)...), err
		}}
	}
	var found []peer
	for _, one := range m.Peers {
		if one.Name == "plain" || one.Name == fixed {
			found = append(found, one)
		}
	}
	for _, one := range []peer{ask(byTrap), ask(byNotification, "--ask-by", "notification")} {
		if err := m.try(one); err != nil {
			say("  %s cannot: %v", one.Name, err)
			m.Left = append(m.Left, one.Name+" ("+err.Error()+")")
			continue
		}
		found = append(found, one)
	}
	return found
}

// asking measures jobs in a view that asks, and what a touch costs.
func (m *measurer) asking() (err error) {
	peers := m.askingPeers()
	if err := m.askingStart(peers); err != nil {
		return err
	}
	if m.Asking.Jobs, err = m.timeJobs(peers, m.askingJobs()); err != nil {
		return err
	}
	// The tier's own benchmark answers at once: what is left is the touch.
	cmd := exec.Command("go", "test", "-run=^$", "-bench=^BenchmarkProcessTier$/.*/^touches$", "-benchtime=10x", "-count=3", "-timeout=5m", "./internal/enforce/process")
	cmd.Dir, cmd.Env = m.root, append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.Asking.Problem = strings.TrimSpace(string(out))
		say("  %s", m.Asking.Problem)
		return nil
	}
	if m.Asking.read(string(out)); len(m.Asking.First) == 0 {
		m.Asking.Problem = "the benchmark of touches printed no numbers"
		say("  %s", m.Asking.Problem)
	}
	return nil
}

// askingStart is from the launcher's start to its exit, for /bin/true, in each way
// and by bubblewrap.
func (m *measurer) askingStart(peers []peer) error {
	m.Asking.Start = map[string]samples{}
	all := slices.Clone(peers)
	for _, one := range m.Peers {
		if one.Name == "bubblewrap" {
			all = append(all, one)
		}
	}
	say("  start")
	return m.starts(len(all), func(i int) error {
		took, err := m.time(all[i], m.grants(), "/bin/true")
		m.Asking.Start[all[i].Name] = append(m.Asking.Start[all[i].Name], took)
		return err
	})
}

// askingJobs are those that look at many files, and ordinary tools.
func (p *place) askingJobs() []job {
	none := map[string]string{}
	var all []job
	for _, j := range p.allJobs() {
		switch j.Name {
		case "300 forks":
			continue
		case "find -size":
			all = append(all, j, job{Name: "grep -r", Argv: []string{"sh", "-c", "grep -rc zzzzqq . | tail -1"}, Dir: p.tree, Env: none})
			continue
		}
		all = append(all, j)
	}
	if _, err := exec.LookPath("npm"); err == nil {
		all = append(all, job{Name: "npm --version", Argv: []string{"npm", "--version"}, Dir: p.out, Env: map[string]string{"HOME": "/tmp"}})
	}
	return all
}

// askingTargets are the most that a job may take, × plain.
func askingTarget(job string) float64 {
	switch job {
	case "git status", "tar", "find -size", "grep -r":
		return walkTarget
	}
	return toolTarget
}

// askingNumbers are jobs in a view that asks, and microseconds of touches.
type askingNumbers struct {
	Start   map[string]samples            // way, or bubblewrap → start to exit of /bin/true
	Jobs    map[string]map[string]samples // job → way → time without start
	First   map[string][]float64          // way → the first open of a hidden file, answered at once
	Second  map[string][]float64          // way → the next
	Problem string
}

// read takes the numbers from what `go test -bench` prints.
func (a *askingNumbers) read(out string) {
	a.First, a.Second = map[string][]float64{}, map[string][]float64{}
	ways := map[string]string{"in_a_fixed_view": fixed, "by_a_trap": byTrap, "by_notification": byNotification}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.Split(f[0], "/")
		if len(name) < 3 || ways[name[1]] == "" {
			continue
		}
		way := ways[name[1]]
		for i := 2; i+1 < len(f); i += 2 {
			value, err := strconv.ParseFloat(f[i], 64)
			switch {
			case err != nil:
			case f[i+1] == "µs/first-open":
				a.First[way] = append(a.First[way], value)
			case f[i+1] == "µs/open":
				a.Second[way] = append(a.Second[way], value)
			}
		}
	}
}
