package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"ambit.dev/ambit/internal/enforce"
)

// The layers, in words for people.
const (
	layerFiles       = "files: what was not granted is not there"
	layerReadOnly    = "files: read-only stays read-only"
	layerLandlock    = "Landlock: leaked descriptors open nothing"
	layerProcesses   = "processes: the host's are hidden"
	layerNetwork     = "network: there is none"
	layerFilter      = "seccomp: kernel interfaces are closed"
	layerPrivileges  = "privileges: none, and none to gain"
	layerDescriptors = "limits: open files"
	layerSpawn       = "programs: no second one without process.spawn"
	layerMemory      = "limits: memory"
)

// layers are the layers of a set, in order.
func layers(set string) (names []string) {
	for _, a := range sets()[set] {
		if len(names) == 0 || names[len(names)-1] != a.layer {
			names = append(names, a.layer)
		}
	}
	return names
}

// patience is how long one scenario may take. An emulated processor with other work is
// slow, and what was cut off would be told as a layer that fails.
const patience = time.Minute

// boundary tries the view, Landlock, the namespaces, the filter, privileges.
func (p Prober) boundary(ctx context.Context, b *bait) []Finding {
	t := b.targets
	t.Set, t.FDs = setBoundary, 200
	return p.scenario(ctx, t, Scenario{Name: "boundary", Read: b.dir + "/granted", Limits: enforce.Limits{FDs: 64}})
}

// spawn tries a second program without process.spawn.
func (p Prober) spawn(ctx context.Context, _ *bait) []Finding {
	return p.scenario(ctx, Targets{Set: setSpawn}, Scenario{Name: "spawn", NoSpawn: true})
}

// memory tries more memory than the limit.
func (p Prober) memory(ctx context.Context, _ *bait) []Finding {
	const limit = 128 << 20
	return p.scenario(ctx, Targets{Set: setMemory, Memory: 2 * limit}, Scenario{Name: "memory", Limits: enforce.Limits{Memory: limit}})
}

// scenario runs one sandbox and judges what came out of it.
func (p Prober) scenario(ctx context.Context, t Targets, s Scenario) []Finding {
	p.progress(s.Name)
	var err error
	if s.Argv, err = t.argv("attempt"); err != nil {
		return []Finding{broken(err)}
	}
	plan, err := p.Compile(s)
	if err != nil {
		return []Finding{broken(err)}
	}
	o, err := p.run(ctx, plan)
	if err != nil {
		return []Finding{broken(err)}
	}
	return judge(t.Set, o)
}

func broken(err error) Finding {
	return Finding{Layer: sandbox, State: Fails, Needed: true, Detail: err.Error()}
}

// outcome is what a sandboxed run left.
type outcome struct {
	results []result
	ended   enforce.Result
	report  enforce.Report
	said    string // on its standard error
}

// run starts the plan. In its standard input waits a descriptor of the host's
// root: Landlock has to make that worthless.
func (p Prober) run(ctx context.Context, plan enforce.Plan) (o outcome, err error) {
	input, err := leak()
	if err != nil {
		return o, err
	}
	defer input.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return o, err
	}
	defer r.Close()
	complaints, err := os.CreateTemp("", "ambit-doctor-")
	if err != nil {
		return o, err
	}
	defer complaints.Close()
	defer os.Remove(complaints.Name()) //nolint:errcheck // in a folder for temporary files
	inside, err := p.Tier.Start(ctx, plan, enforce.Stdio{In: input, Out: w, Err: complaints})
	_ = w.Close() // the sandbox has its own
	if err != nil {
		return o, err
	}
	o.report = inside.Report()
	go func() {
		for range inside.Denials() { // expected
		}
	}()
	if err := inside.Release(); err != nil {
		_ = inside.Kill()
		return o, err
	}
	end := time.AfterFunc(patience, func() { _ = inside.Kill() })
	defer end.Stop()
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var one result
		if json.Unmarshal(lines.Bytes(), &one) == nil {
			o.results = append(o.results, one)
		}
	}
	o.ended, err = inside.Wait()
	text := make([]byte, 400)
	n, _ := complaints.ReadAt(text, 0) // what there is
	o.said = strings.TrimSpace(string(text[:n]))
	return o, err
}

// judge makes a finding of each layer. An attempt without an answer did not
// fail: nobody knows.
func judge(set string, o outcome) (all []Finding) {
	if set == setMemory {
		return []Finding{judgeMemory(o)}
	}
	answers := map[string]result{}
	for _, r := range o.results {
		answers[r.Name] = r
	}
	for _, layer := range layers(set) {
		f := Finding{Layer: layer, State: Holds, Needed: true}
		var through, tried []string
		for _, a := range sets()[set] {
			if a.layer != layer {
				continue
			}
			switch r, ok := answers[a.name]; {
			case !ok:
				through = append(through, "could not try to "+a.name+": "+o.ending())
			case r.Untried:
				through = append(through, "could not try to "+a.name+": "+r.Error)
			case r.Through:
				through = append(through, "a program could "+a.name)
			default:
				tried = append(tried, a.name)
			}
		}
		f.Detail = "tried to " + strings.Join(tried, ", ")
		if len(through) > 0 {
			f.State, f.Detail = Fails, strings.Join(through, "; ")
		}
		all = append(all, f)
	}
	return all
}

func (o outcome) ending() string {
	text := fmt.Sprintf("the program ended with %d", o.ended.Exit)
	if o.ended.CannotExec != nil {
		text = "the program could not be executed: " + o.ended.CannotExec.Error()
	}
	if o.said != "" {
		text += ": " + o.said
	}
	return text
}

// judgeMemory: being killed by the bound is as good as being refused.
func judgeMemory(o outcome) Finding {
	f := Finding{Layer: layerMemory, State: Holds, Needed: true}
	switch {
	case len(o.results) > 0 && o.results[0].Through:
		f.State, f.Detail = Fails, "a program could use more memory than allowed"
	case len(o.results) > 0:
		f.Detail = "refused: " + o.results[0].Error
	case o.ended.Limit == "memory":
		f.Detail = "killed by the limit"
	default:
		f.State, f.Detail = Fails, "could not try: "+o.ending()
	}
	for _, l := range o.report.Layers {
		if l.Name == "limits" && l.Weaker && f.State == Holds {
			f.State, f.Detail = Weaker, f.Detail+" ("+l.Detail+")"
		}
	}
	return f
}
