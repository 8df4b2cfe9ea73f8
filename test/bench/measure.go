package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// samples are the times of one thing done again and again.
type samples []time.Duration

func (s samples) min() time.Duration {
	if len(s) == 0 {
		return 0
	}
	return slices.Min(s)
}

func (s samples) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// many is what starting a hundred at once came to.
type many struct {
	Wall     samples
	Failed   int
	Orphans  int // processes left over after all launchers had ended
	Survived int // of ten: still running after their launcher was killed
}

// memory is what the processes around one idle program take.
type memory struct {
	Processes int
	PSS       int64 // bytes, shared memory counted once; -1: not readable
	Private   int64 // bytes that were written and are nobody else's
}

type measurer struct {
	*place
	*results
	rounds   int
	deadline time.Time
	token    int
}

func (m *measurer) measure(part string) error {
	switch part {
	case "start":
		return m.start()
	case "many":
		return m.many()
	case "memory":
		return m.memory()
	case "jobs":
		return m.jobs()
	case "network":
		return m.network()
	case "requests":
		return m.opened()
	case "asking":
		return m.asking()
	case "tiers":
		return m.tiers()
	case "host":
		return m.host()
	default:
		return m.audit()
	}
}

// turns calls f for each of n in every round, in an order that turns.
func (m *measurer) turns(rounds, n int, f func(i int) error) error {
	for round := range rounds {
		if round > 2 && time.Now().After(m.deadline) {
			say("  the time is up after %d of %d rounds", round, rounds)
			m.Skipped = append(m.Skipped, fmt.Sprintf("%d of %d rounds", rounds-round, rounds))
			return nil
		}
		if err := turn(round, n, f); err != nil {
			return err
		}
	}
	return nil
}

// leastStarts is how often each start is measured, whatever time is left: it takes milliseconds,
// and on a host with other work the median of a few is off by a tenth.
const leastStarts = 45

// starts calls f for each of n, which starts something, in every round.
func (m *measurer) starts(n int, f func(i int) error) error {
	return always(max(m.rounds, leastStarts), n, f)
}

// always calls f for each of n in every round, whatever time is left.
func always(rounds, n int, f func(i int) error) error {
	for round := range rounds {
		if err := turn(round, n, f); err != nil {
			return err
		}
	}
	return nil
}

// turn calls f for each of n, from another one on in each round.
func turn(round, n int, f func(i int) error) error {
	for i := range n {
		if err := f((i + round) % n); err != nil {
			return err
		}
	}
	return nil
}

// command makes one that runs args in b the way of one.
func (m *measurer) command(one peer, b box, args ...string) (*exec.Cmd, error) {
	argv, err := one.argv(b, args)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = b.dir, m.environment()
	return cmd, nil
}

func (m *measurer) time(one peer, b box, args ...string) (time.Duration, error) {
	cmd, err := m.command(one, b, args...)
	if err != nil {
		return 0, err
	}
	var problem strings.Builder
	cmd.Stderr = &problem
	began := time.Now()
	err = cmd.Run()
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("%s: %s: %w: %s", one.Name, args[0], err, problem.String())
	}
	return took, nil
}

// start is from the launcher's start to its exit, for /bin/true.
func (m *measurer) start() error {
	m.Start, m.InTree = map[string]samples{}, map[string]samples{}
	inTree := m.grants()
	inTree.write, inTree.dir = []string{m.tree}, m.tree
	return m.starts(len(m.Peers), func(i int) error {
		one := m.Peers[i]
		few, err := m.time(one, m.grants(), "/bin/true")
		if err != nil {
			return err
		}
		tree, err := m.time(one, inTree, "/bin/true")
		m.Start[one.Name] = append(m.Start[one.Name], few)
		m.InTree[one.Name] = append(m.InTree[one.Name], tree)
		return err
	})
}

const crowd = 100

// many starts a hundred at once in one folder, and then kills launchers.
func (m *measurer) many() error {
	m.Many = map[string]many{}
	err := m.turns(3, len(m.Peers), func(i int) error {
		one := m.Peers[i]
		got := m.Many[one.Name]
		token := m.newToken()
		cmds := make([]*exec.Cmd, crowd)
		for i := range cmds {
			var err error
			if cmds[i], err = m.command(one, m.grants(), "/bin/true", token); err != nil {
				return err
			}
		}
		var mutex sync.Mutex
		var wait sync.WaitGroup
		began := time.Now()
		for _, cmd := range cmds {
			wait.Go(func() {
				if err := cmd.Run(); err != nil {
					mutex.Lock()
					got.Failed++
					mutex.Unlock()
				}
			})
		}
		wait.Wait()
		got.Wall = append(got.Wall, time.Since(began))
		time.Sleep(300 * time.Millisecond)
		left := processesWith(token)
		got.Orphans += len(left)
		kill(left)
		m.Many[one.Name] = got
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range m.Peers {
		got := m.Many[one.Name]
		if got.Survived, err = m.survivors(one); err != nil {
			return err
		}
		m.Many[one.Name] = got
	}
	return nil
}

// survivors counts the programs that go on after kill -9 of their launcher.
func (m *measurer) survivors(one peer) (int, error) {
	seconds := m.newToken()
	var cmds []*exec.Cmd
	for range 10 {
		cmd, err := m.idle(one, seconds)
		if err != nil {
			return 0, err
		}
		cmds = append(cmds, cmd)
	}
	if one.Name != "plain" { // there the launcher is the program
		for _, cmd := range cmds {
			_ = cmd.Process.Kill()
		}
		time.Sleep(time.Second)
	}
	payloads := 0
	left := processesWith(seconds)
	for _, pid := range left {
		if isPayload(pid, seconds) {
			payloads++
		}
	}
	kill(left)
	for _, cmd := range cmds {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if one.Name == "plain" {
		return 0, nil
	}
	return payloads, nil
}

// idle starts a program that sleeps and waits until it does.
func (m *measurer) idle(one peer, seconds string) (*exec.Cmd, error) {
	before := payloads(seconds)
	cmd, err := m.command(one, m.grants(), "/bin/sleep", seconds)
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for range 500 {
		if payloads(seconds) > before {
			return cmd, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil, fmt.Errorf("%s: an idle program did not start within 5 s", one.Name)
}

// memory adds up what all processes between the launcher and the program take.
func (m *measurer) memory() error {
	m.Memory = map[string]memory{}
	for _, one := range m.Peers {
		seconds := m.newToken()
		cmd, err := m.idle(one, seconds)
		if err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
		var got memory
		for _, pid := range family(cmd.Process.Pid) {
			if isPayload(pid, seconds) {
				continue
			}
			pss, err := pssOf(pid)
			if err != nil {
				got.PSS = -1
				break
			}
			got.Processes++
			got.PSS += pss
		}
		m.Memory[one.Name] = got
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		time.Sleep(100 * time.Millisecond)
		kill(processesWith(seconds))
	}
	return nil
}

// ------------------------------------------------------------------ jobs

// timer runs a job some times and prints how long each took, in nanoseconds.
// It is the same program inside and outside.
const timer = `
import json, os, subprocess, sys, time
job = json.loads(sys.argv[1])
env = dict(os.environ, **job["env"])
took = []
for _ in range(job["repeat"]):
    if job.get("clean") and os.path.exists(job["clean"]):
        os.remove(job["clean"])
    began = time.perf_counter_ns()
    done = subprocess.run(job["argv"], cwd=job["dir"], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    took.append(time.perf_counter_ns() - began)
    if done.returncode != 0:
        sys.exit("%s: exit %d: %s" % (job["name"], done.returncode, done.stderr.decode("utf-8", "replace")))
print(json.dumps(took))
`
