package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// job is real work, timed inside the sandbox.
type job struct {
	Name   string            `json:"name"`
	Argv   []string          `json:"argv"`
	Dir    string            `json:"dir"`
	Env    map[string]string `json:"env"`
	Repeat int               `json:"repeat"`
	Clean  string            `json:"clean,omitempty"` // removed before each time
}

func goEnvironment(cache string) []string {
	return []string{"GOCACHE=" + cache, "GOPATH=/tmp/go", "GOTOOLCHAIN=local", "GOFLAGS=", "GOENV=off", "CGO_ENABLED=0", "GOTELEMETRY=off"}
}

func (p *place) goBuild() job {
	env := map[string]string{"HOME": "/tmp"}
	for _, e := range goEnvironment(p.cache) {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	program := filepath.Join(p.out, "hello", "hello")
	return job{Name: "go build", Argv: []string{filepath.Join(p.gorot, "bin", "go"), "build", "-o", program, "."},
		Dir: filepath.Join(p.out, "hello"), Env: env, Clean: program}
}

// allJobs are timed in this order.
func (p *place) allJobs() []job {
	none := map[string]string{}
	return []job{
		{Name: "git status", Argv: []string{"git", "-c", "safe.directory=*", "status", "--porcelain"}, Dir: p.tree,
			Env: map[string]string{"GIT_OPTIONAL_LOCKS": "0", "HOME": "/tmp"}},
		{Name: "tar", Argv: []string{"sh", "-c", "tar -cf - . | cat"}, Dir: p.tree, Env: none},
		{Name: "find -size", Argv: []string{"find", ".", "-size", "+7k"}, Dir: p.tree, Env: none},
		{Name: "python3 import", Argv: []string{"/usr/bin/python3", "-c", "import asyncio, email, http.client, json, sqlite3, ssl, xml.dom"}, Dir: p.out, Env: none},
		p.goBuild(),
		{Name: "300 forks", Argv: []string{"sh", "-c", "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done"}, Dir: p.out, Env: none},
	}
}

func (m *measurer) jobs() (err error) {
	m.Jobs, err = m.timeJobs(m.Peers, m.allJobs())
	return err
}

// timeJobs times each job in the way of each peer.
func (m *measurer) timeJobs(peers []peer, jobs []job) (map[string]map[string]samples, error) {
	return m.timeSome(peers, jobs, box{read: []string{m.one, m.gorot}, write: []string{m.out, m.tree}, dir: m.out}, max(m.rounds/3, 1), 2)
}

// timeSome is that with what the sandbox shows, some rounds long and each time
// repeated.
func (m *measurer) timeSome(peers []peer, jobs []job, b box, rounds, repeat int) (map[string]map[string]samples, error) {
	times := map[string]map[string]samples{}
	for _, j := range jobs {
		j.Repeat = repeat
		text, err := json.Marshal(j)
		if err != nil {
			return nil, err
		}
		times[j.Name] = map[string]samples{}
		say("  %s", j.Name)
		err = m.turns(rounds, len(peers), func(i int) error {
			one := peers[i]
			took, err := m.timeJob(one, b, string(text))
			if err != nil {
				say("  %s cannot: %v", one.Name, err)
				return nil
			}
			times[j.Name][one.Name] = append(times[j.Name][one.Name], took...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return times, nil
}

// timeJob runs the timer with a job in the way of one.
func (m *measurer) timeJob(one peer, b box, job string) (took []time.Duration, err error) {
	cmd, err := m.command(one, b, "/usr/bin/python3", "-c", timer, job)
	if err != nil {
		return nil, err
	}
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &took)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(problem.String()))
	}
	return took, nil
}
