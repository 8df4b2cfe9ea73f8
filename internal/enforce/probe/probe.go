// Package probe finds out what really holds on this host. It runs sandboxes that
// try what must fail, and reads the host's settings to say why something does
// not hold and what would change that.
//
// A layer holds when a program inside tried to get through and could not, never
// because a version number says so. A program that did not answer tried nothing,
// so its layer does not hold. The tier that is tried is passed in; so is the
// program, which calls Attempt.
//
// It decides nothing and changes nothing on the host beyond a temporary folder.
//
// Layer: a mechanism; it knows plans and tiers, and no tier in particular.
package probe

import (
	"context"
	"encoding/json"

	"ambit.dev/ambit/internal/enforce"
)

// State says what was found of one layer.
type State string

// The states.
const (
	Holds  State = "holds"
	Weaker State = "weaker" // there is a weaker way, which is used and named
	Fails  State = "fails"
	Absent State = "absent" // not there, and nothing that this version promises needs it
)

// A Finding is what was found of one layer. Fix is what a person can do.
type Finding struct {
	Layer  string `json:"layer"`
	State  State  `json:"state"`
	Needed bool   `json:"needed"` // without it the process tier does not hold
	Detail string `json:"detail,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

// A Scenario is one sandboxed run, to be compiled into a plan that starts a
// program which calls Attempt with Argv[1:].
type Scenario struct {
	Name    string
	Argv    []string // without the program
	Read    string   // a folder granted for reading
	NoSpawn bool     // a pack without process.spawn
	Tier    string   // what is promised; "" is the process tier
	Limits  enforce.Limits
}

// Prober runs scenarios.
type Prober struct {
	Tier    enforce.Tier
	Compile func(Scenario) (enforce.Plan, error)
	// Self starts this program outside of any sandbox: the process that must not
	// be visible from inside.
	Self []string
	// Progress is told what is being tried; it may be nil.
	Progress func(what string)
}

func (p Prober) progress(what string) {
	if p.Progress != nil {
		p.Progress(what)
	}
}

// Targets is what the program inside is told to go for. It travels as argument.
type Targets struct {
	Set      string `json:"set"` // which attempts: one of the names in sets
	Secret   string `json:"secret,omitempty"`
	Granted  string `json:"granted,omitempty"` // a file that it may read and not change
	Address  string `json:"address,omitempty"` // of a listener on the host
	Abstract string `json:"abstract,omitempty"`
	Token    string `json:"token,omitempty"` // in the arguments of a process of the host
	FDs      int    `json:"fds,omitempty"`
	Memory   int    `json:"memory,omitempty"`  // bytes, more than is allowed
	Outside  string `json:"outside,omitempty"` // the mount namespace that must not be changed
}

func (t Targets) argv(word string) ([]string, error) {
	text, err := json.Marshal(t) //nolint:gosec // Secret is the path of a bait
	return []string{word, string(text)}, err
}

// result is what the program inside says of one attempt.
type result struct {
	Name    string `json:"name"`
	Through bool   `json:"through"`
	Untried bool   `json:"untried,omitempty"` // it could not even be tried
	Error   string `json:"error,omitempty"`   // what stopped it
}

// Run tries everything and returns what it found, in a fixed order.
func (p Prober) Run(ctx context.Context) []Finding {
	laid, err := newBait(ctx, p.Self)
	if err != nil {
		return []Finding{{Layer: "probe", State: Fails, Needed: true, Detail: err.Error()}}
	}
	defer laid.close()
	var all []Finding
	for _, try := range []func(context.Context, *bait) []Finding{p.boundary, p.spawn, p.memory} {
		found := try(ctx, laid)
		all = append(all, found...)
		if found[0].State == Fails && found[0].Layer == sandbox {
			break // the others would say the same
		}
	}
	return all
}

// Reconcile corrects what the host's settings made one expect by what was tried:
// where sandboxes start, a fresh /proc was mounted in them.
func Reconcile(facts, tried []Finding) []Finding {
	for _, f := range tried {
		if f.Layer == sandbox {
			return append(facts, tried...)
		}
	}
	for i, f := range facts {
		if f.Layer == proc && f.State == Weaker {
			facts[i].State, facts[i].Fix = Holds, ""
			facts[i].Detail += "; it was mounted all the same"
		}
	}
	return append(facts, tried...)
}

// proc is the layer of the host's /proc.
const proc = "/proc"

// sandbox is the layer of a sandbox that can be started at all.
const sandbox = "sandbox"
