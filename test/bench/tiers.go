package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Ways to run a program with another kernel than the host's, beside the host's.
const (
	byProcess  = "process"
	byRunsc    = "runsc" // gVisor's own runtime, of the version that is in ambit-runsc
	byGVisor   = "gvisor-systrap"
	byEmulated = "microvm-emulated"
)

// tierFlags are what --tier takes for each.
var tierFlags = map[string]string{byProcess: "process", byGVisor: "gvisor", byEmulated: byEmulated}

// tierNumbers are what was found of each tier.
type tierNumbers struct {
	Ways    []string                      // those that were measured, in order
	Start   map[string]samples            // start to exit of /bin/true
	First   map[string]samples            // start to the first byte of /bin/echo
	Jobs    map[string]map[string]samples // job → way → time without start
	Traffic map[string]*traffic
	Memory  map[string]memory // of an idle program and all around it
}

// tierTime is how long measuring goes on before no round is added.
const tierTime = 40 * time.Second

// tierStarts is how often each start is measured, whatever time is left: a machine's takes
// half a second of the processors' time, and of three on a host with other work the median
// was off by half.
const tierStarts = 9

// fewFiles are those that jobs look at: a machine gets copies of all.
const fewFiles = 1000

// ownFolder is a writable folder with nothing in it. In the other one is what earlier
// parts have left there, a compiler's cache for one, and a machine would get copies.
func (p *place) ownFolder() (box, error) {
	dir := p.in("own")
	return box{read: []string{p.two}, write: []string{dir}, dir: dir}, os.MkdirAll(dir, 0o755)
}

// tierPeers are plain and the tiers that this host has.
func (m *measurer) tierPeers() (found []peer) {
	tier := func(name string) peer {
		return peer{Name: name, argv: func(b box, args []string) ([]string, error) {
			argv, err := m.ambitArgv(b, args)
			return slices.Insert(argv, 2, "--tier", tierFlags[name]), err
		}}
	}
	all := []peer{
		{Name: "plain", argv: func(_ box, args []string) ([]string, error) { return args, nil }},
		tier(byProcess),
		{Name: byRunsc, argv: func(b box, args []string) ([]string, error) { return m.runscArgv(b, args, "none") }},
		tier(byGVisor),
		tier(byEmulated),
	}
	for _, one := range all {
		err := m.tierReady(one)
		if err == nil {
			err = m.try(one)
		}
		if err != nil {
			say("  %s cannot: %v", one.Name, err)
			m.Left = append(m.Left, fmt.Sprintf("%s (%v)", one.Name, err))
			continue
		}
		found = append(found, one)
	}
	return found
}

// tierReady makes what a way needs once.
func (m *measurer) tierReady(one peer) error {
	switch {
	case one.Name == byRunsc && m.runsc == "":
		return errors.New("it was not built")
	case one.Name == byEmulated:
		say("  making an image of a machine")
		return m.prepare(m.dir, m.ambit, "image", "build", "--with", "python3")
	}
	return nil
}

// runscArgv is runsc as a runtime of bundles, as runc is.
func (p *place) runscArgv(b box, args []string, network string) ([]string, error) {
	bundle, id, err := p.bundle(b, args, network == "host")
	if err != nil {
		return nil, err
	}
	argv := []string{p.runsc, "--root", p.in("runsc"), "--platform", "systrap", "--network", network, "--ignore-cgroups"}
	if os.Getuid() != 0 {
		argv = append(argv, "--rootless")
	}
	return append(argv, "run", "--bundle", bundle, id), nil
}

// tiers measures the tiers beside each other.
func (m *measurer) tiers() error {
	n := &m.Tiers
	n.Start, n.First, n.Memory = map[string]samples{}, map[string]samples{}, map[string]memory{}
	peers := m.tierPeers()
	for _, one := range peers {
		n.Ways = append(n.Ways, one.Name)
	}
	before := m.deadline
	defer func() { m.deadline = before }()
	if end := time.Now().Add(tierTime); end.Before(m.deadline) {
		m.deadline = end
	}
	say("  start")
	own, err := m.ownFolder()
	if err != nil {
		return err
	}
	err = always(tierStarts, len(peers), func(i int) error {
		took, err := m.time(peers[i], own, "/bin/true")
		if err != nil {
			return err
		}
		byte1, err := m.firstByte(peers[i], own)
		n.Start[peers[i].Name] = append(n.Start[peers[i].Name], took)
		n.First[peers[i].Name] = append(n.First[peers[i].Name], byte1)
		return err
	})
	if err != nil {
		return err
	}
	if err := m.tierMemory(peers, own); err != nil {
		return err
	}
	if err := m.tierTraffic(peers); err != nil {
		return err
	}
	return m.tierJobs(peers)
}

// firstByte is from the launcher's start to the first byte of a program.
func (m *measurer) firstByte(one peer, b box) (time.Duration, error) {
	cmd, err := m.command(one, b, "/bin/echo", "a")
	if err != nil {
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_, err = io.ReadFull(out, make([]byte, 1))
	took := time.Since(began)
	return took, errors.Join(err, cmd.Wait())
}

// tierMemory is what an idle program takes, with all that is around it: where it
// has another kernel, nobody outside can tell the two apart.
func (m *measurer) tierMemory(peers []peer, b box) error {
	say("  memory")
	for _, one := range peers {
		cmd, err := m.command(one, b, "/bin/sh", "-c", "echo ready; read end")
		if err != nil {
			return err
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			return err
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		_, err = io.ReadFull(out, make([]byte, len("ready\n")))
		if err != nil {
			_ = cmd.Process.Kill()
			return fmt.Errorf("%s: %w", one.Name, errors.Join(err, cmd.Wait()))
		}
		time.Sleep(200 * time.Millisecond) // until it is idle
		m.Tiers.Memory[one.Name] = memoryOf(family(cmd.Process.Pid))
		_ = in.Close() // its input ends, and so does it
		_ = cmd.Wait() // read has found the end, which is no success
	}
	return nil
}

// memoryOf adds up some processes. Pages of a file that wait to be written to the
// disk are counted as private and dirty where one process has them mapped, so what
// a process has written itself is what belongs to no file.
func memoryOf(pids []int) (all memory) {
	all.Processes = len(pids)
	for _, pid := range pids {
		pss, err := smapsOf(pid, "Pss:")
		if err != nil {
			return memory{Processes: len(pids), PSS: -1}
		}
		own, err := smapsOf(pid, "Anonymous:")
		if err != nil {
			return memory{Processes: len(pids), PSS: -1}
		}
		all.Private += own
		all.PSS += pss
	}
	return all
}

// tierTraffic measures how much one connection to the host carries, in the tiers
// that have a network.
func (m *measurer) tierTraffic(peers []peer) error {
	say("  network")
	f, err := newFar()
	if err != nil {
		return err
	}
	defer f.close()
	self, err := m.program()
	if err != nil {
		return err
	}
	m.Tiers.Traffic = map[string]*traffic{}
	var all []network
	live := map[string]*running{}
	defer func() {
		for _, r := range live {
			_ = r.stop() // what it measured is there
		}
	}()
	for _, one := range peers {
		n := m.tierNetwork(one.Name, self, f)
		r, err := m.enter(n, f)
		if err != nil {
			say("  %s has no network: %v", one.Name, err)
			continue
		}
		live[n.Name] = r
		all, m.Tiers.Traffic[n.Name] = append(all, n), &traffic{}
	}
	raw, _ := f.ports()
	return m.turns(min(m.rounds, 5), len(all), func(i int) error {
		n := all[i]
		t := m.Tiers.Traffic[n.Name]
		for op, rate := range map[string]*[]float64{"up": &t.Up, "down": &t.Down} {
			got, err := live[n.Name].do(order{Op: op, To: n.host + ":" + raw, For: floodTime})
			if err != nil {
				return fmt.Errorf("%s: %w", n.Name, err)
			}
			*rate = append(*rate, float64(got.Bytes)*8/1e9/got.For.Seconds())
		}
		return nil
	})
}

// tierNetwork is the network of one way.
func (m *measurer) tierNetwork(way, self string, f *far) network {
	n := network{Name: way, host: "127.0.0.1"}
	switch way {
	case "plain":
		n.start = func(args ...string) (*running, error) {
			return launch(append([]string{self}, args...), m.environment(), m.out)
		}
	case byRunsc:
		n.start = func(args ...string) (*running, error) {
			argv, err := m.runscArgv(m.grants(), append([]string{self}, args...), "host")
			if err != nil {
				return nil, err
			}
			return launch(argv, m.environment(), m.out)
		}
	default:
		n = m.ambitNetwork(self, f, "--tier", tierFlags[way])
		n.Name = way
	}
	return n
}

// tierJobs times jobs that look at files.
func (m *measurer) tierJobs(peers []peer) (err error) {
	tree := m.in("few")
	line := bytes.Repeat([]byte("a line of text\n"), 200)
	for i := range fewFiles {
		dir := filepath.Join(tree, fmt.Sprintf("part%02d", i/100))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%02d.txt", i%100)), line[:i%len(line)], 0o644); err != nil {
			return err
		}
	}
	none := map[string]string{}
	jobs := []job{
		{Name: "find -size", Argv: []string{"find", ".", "-size", "+2k"}, Dir: tree, Env: none},
		{Name: "tar", Argv: []string{"sh", "-c", "tar -cf - . | cat"}, Dir: tree, Env: none},
		{Name: "grep -r", Argv: []string{"sh", "-c", "grep -rc zzzzqq . | tail -1"}, Dir: tree, Env: none},
		{Name: "python3 import", Argv: []string{"/usr/bin/python3", "-c", "import asyncio, email, http.client, json"}, Dir: m.out, Env: none},
		{Name: "30 forks", Argv: []string{"sh", "-c", "i=0; while [ $i -lt 30 ]; do /bin/true; i=$((i+1)); done"}, Dir: m.out, Env: none},
	}
	m.Tiers.Jobs, err = m.timeSome(peers, jobs, box{read: []string{m.one, tree}, write: []string{m.out}, dir: m.out}, 2, 1)
	return err
}
