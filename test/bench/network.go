package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// network is one way of giving a program a network.
type network struct {
	Name, Version string
	host          string // how the program inside calls the host's loopback
	named         bool   // that is a name
	server        string // of names, "" where none is measured
	// start runs the program inside with arguments.
	start func(args ...string) (*running, error)
	// carries says which of the processes around the program carry its packets.
	carries func(r *running) []int
}

// running is the program inside of one network.
type running struct {
	program *exec.Cmd // or what it was started by
	beside  *exec.Cmd // what makes its network, nil where the same starts it
	in      io.WriteCloser
	out     *json.Decoder
	said    *strings.Builder // on standard error
}

// pids are all processes of a network, the program's included.
func (r *running) pids() []int {
	all := family(r.program.Process.Pid)
	if r.beside != nil {
		all = append(all, family(r.beside.Process.Pid)...)
	}
	return all
}

// launch starts a program that takes orders.
func launch(argv, env []string, dir string) (*running, error) {
	r := &running{program: exec.Command(argv[0], argv[1:]...), said: &strings.Builder{}}
	r.program.Env, r.program.Dir, r.program.Stderr = env, dir, r.said
	var err error
	if r.in, err = r.program.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.program.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = json.NewDecoder(out)
	return r, r.program.Start()
}

// do has the program inside do something.
func (r *running) do(o order) (f finding, err error) {
	if err := json.NewEncoder(r.in).Encode(o); err != nil {
		return f, fmt.Errorf("%w: %s", err, r.said)
	}
	if err := r.out.Decode(&f); err != nil {
		return f, fmt.Errorf("%w: %s", err, r.said)
	}
	if f.Error != "" {
		return f, fmt.Errorf("%s to %s: %s", o.Op, o.To, f.Error)
	}
	return f, nil
}

// stop ends a network; the program ends when it gets no more orders.
func (r *running) stop() error {
	_ = r.in.Close()
	ended := make(chan error, 1)
	go func() { ended <- r.program.Wait() }()
	var err error
	select {
	case err = <-ended:
	case <-time.After(10 * time.Second):
		_ = r.program.Process.Kill()
		err = fmt.Errorf("it did not end: %w", <-ended)
	}
	if r.beside != nil {
		_ = r.beside.Process.Kill() // it may have ended with its namespace
		_ = r.beside.Wait()
	}
	return err
}

// traffic is what was found of one network.
type traffic struct {
	Up, Down       []float64 // Gbit/s, each round
	UpCPU, DownCPU []float64 // seconds of all processes for a GiB, both ends included
	Connect        samples
	Named          samples // the same, with its name looked up
	Request        samples
	Lookup         samples
	First          samples // start to the first byte over the network, and the end
	PSS            int64   // of what carries the packets, after the load; -1: not readable
}

const (
	floodTime    = 400 * time.Millisecond
	connectCount = 50
	requestCount = 200
	lookupCount  = 50
	grantedHost  = "host.ambit.internal" // the host's loopback, in a sandbox of Ambit
)

// network measures all networks beside each other. They live at the same time,
// and are idle but for the one that is measured.
func (m *measurer) network() error {
	f, err := newFar()
	if err != nil {
		return err
	}
	defer f.close()
	all, err := m.networks(f)
	if err != nil {
		return err
	}
	live := map[string]*running{}
	defer func() {
		for _, r := range live {
			_ = r.stop() // what it measured is there
		}
	}()
	m.Traffic = map[string]*traffic{}
	for _, n := range all {
		r, err := m.enter(n, f)
		if err != nil {
			say("  left out: %s: %v", n.Name, err)
			m.Left = append(m.Left, fmt.Sprintf("%s as a network (%v)", n.Name, err))
			continue
		}
		live[n.Name], m.Traffic[n.Name] = r, &traffic{}
		m.Networks = append(m.Networks, n)
	}
	err = m.turns(m.rounds, len(m.Networks), func(i int) error {
		n := m.Networks[i]
		return m.round(n, live[n.Name], f, m.Traffic[n.Name])
	})
	if err != nil {
		return err
	}
	for _, n := range m.Networks {
		m.Traffic[n.Name].PSS = pssOfAll(n.carries(live[n.Name]))
	}
	return m.turns(m.rounds, len(m.Networks), func(i int) error { return m.first(m.Networks[i], f) })
}

// enter starts a network and waits until it can be used.
func (m *measurer) enter(n network, f *far) (*running, error) {
	r, err := n.start("inside")
	if err != nil {
		return nil, err
	}
	raw, _ := f.ports()
	if _, err := r.do(order{Op: "ready", To: n.host + ":" + raw}); err != nil {
		_ = r.stop() // the first error says more
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("%s", line)
	}
	return r, nil
}

// round measures one network once.
func (m *measurer) round(n network, r *running, f *far, t *traffic) error {
	raw, web := f.ports()
	for _, direction := range []struct {
		op        string
		rate, cpu *[]float64
	}{{"up", &t.Up, &t.UpCPU}, {"down", &t.Down, &t.DownCPU}} {
		before := used(r.pids())
		got, err := r.do(order{Op: direction.op, To: n.host + ":" + raw, For: floodTime})
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
		spent := used(r.pids()) - before
		*direction.rate = append(*direction.rate, float64(got.Bytes)*8/1e9/got.For.Seconds())
		if spent > 0 { // what has ended meanwhile is not counted
			*direction.cpu = append(*direction.cpu, spent.Seconds()/(float64(got.Bytes)/(1<<30)))
		}
	}
	named := ""
	if n.named {
		named = n.host + ":" + raw
	}
	for _, one := range []struct {
		order
		to *samples
	}{
		{order{Op: "named", To: named, Count: connectCount}, &t.Named},
		{order{Op: "connect", To: n.host + ":" + raw, Count: connectCount}, &t.Connect},
		{order{Op: "request", To: n.host + ":" + web, Count: requestCount}, &t.Request},
		{order{Op: "lookup", To: n.server, Name: grantedHost, Count: lookupCount}, &t.Lookup},
	} {
		if one.To == "" {
			continue
		}
		got, err := r.do(one.order)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
		*one.to = append(*one.to, got.Took...)
	}
	return nil
}

// first is a whole run that uses its network once.
func (m *measurer) first(n network, f *far) error {
	raw, _ := f.ports()
	began := time.Now()
	r, err := n.start("inside", n.host+":"+raw)
	if err != nil {
		return err
	}
	if err := r.stop(); err != nil {
		return fmt.Errorf("%s: %w: %s", n.Name, err, r.said)
	}
	t := m.Traffic[n.Name]
	t.First = append(t.First, time.Since(began))
	return nil
}

// used is the time on a processor of this process, which has the far ends, and of
// others.
func used(pids []int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	all := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	for _, pid := range pids {
		all += onProcessor(pid)
	}
	return all
}

// onProcessor is the time of all threads of a process, by the scheduler's count.
func onProcessor(pid int) (all time.Duration) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err == nil {
			all += time.Duration(ns)
		}
	}
	return all
}

// pssOfAll is the memory of some processes, -1 if it cannot be read.
func pssOfAll(pids []int) (all int64) {
	for _, pid := range pids {
		pss, err := pssOf(pid)
		if err != nil {
			return -1
		}
		all += pss
	}
	return all
}
