package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/wire"
	"ambit.dev/ambit/internal/enforce"
	vaultwire "ambit.dev/ambit/internal/vault/wire"
)

// offered is a secret that this session may use, or may be asked for.
type offered struct {
	wire.Placeholder
	capability capability.Capability // of its use, where it is bound to
	granted    bool                  // at the launch
}

// maxOffered bounds the secrets of a session.
const maxOffered = 64

// offer finds the secrets of the session, and what stands for them inside.
func (s *prepared) offer(in enforce.Input) error {
	before := s.secrets
	s.secrets = nil
	for _, c := range in.Effective {
		if c.Kind() == capability.SecretUse {
			if err := s.offerOne(c, true, before); err != nil {
				return err
			}
		}
	}
	if !in.Ask || s.manifest.Open {
		return nil // of those that nothing names, none is shown
	}
	for _, c := range s.wants() {
		if c.Kind() == capability.SecretUse {
			if err := s.offerOne(c, false, before); err != nil && !errors.Is(err, vaultwire.ErrNotFound) {
				return err
			}
		}
	}
	return nil
}

// offerOne adds the secret of a capability; before has its placeholder, if it was
// offered earlier.
func (s *prepared) offerOne(c capability.Capability, granted bool, before []offered) error {
	name, _, _ := strings.Cut(c.Scope(), "@")
	if slices.ContainsFunc(s.secrets, func(o offered) bool { return o.Name == name }) {
		return nil
	}
	v, err := s.vault.open()
	if err != nil {
		return err
	}
	e, err := v.Entry(name)
	if err != nil {
		return fmt.Errorf("%s: %w; put it into the vault with `ambit secret set %s --for HOST`", c.Display(), err, shellWord(name))
	}
	o := offered{Placeholder: wire.Placeholder{Name: name, Binding: e.Binding}, granted: granted}
	if want, _ := s.manifest.Declares(c); want.Env != "" {
		o.Binding.Env = want.Env
		if err := o.Binding.Check(); err != nil {
			return fmt.Errorf("%s: %w", c.Display(), err)
		}
	}
	if o.capability, err = e.Binding.Capability(name); err != nil {
		return err
	}
	if !c.Covers(o.capability) {
		return fmt.Errorf("%s: that secret is bound to %s and is used nowhere else", c.Display(), e.Binding.Target())
	}
	for _, other := range s.secrets {
		if other.Binding.Env == o.Binding.Env {
			return fmt.Errorf("the secrets %s and %s would stand in the same variable, %s; give one another with `ambit secret set --env-name`", other.Name, name, o.Binding.Env)
		}
	}
	if i := slices.IndexFunc(before, func(b offered) bool { return b.Name == name && b.Binding == o.Binding }); i >= 0 {
		o.Text = before[i].Text
	} else {
		o.Text = o.Binding.Prefix + rand.Text() + rand.Text() // 260 bits
	}
	if len(s.secrets) == maxOffered {
		return fmt.Errorf("a run has at most %d secrets", maxOffered)
	}
	s.secrets = append(s.secrets, o)
	return nil
}

// awsKeyID is the variable in which clients of AWS look for an access key's id.
const awsKeyID = "AWS_ACCESS_KEY_ID"

// placeholders puts what stands for secrets into the environment.
//
// Security: a variable that was to show the value itself is refused, not
// replaced: whoever set it expects something else.
func (s *prepared) placeholders(env map[string]string) error {
	for _, o := range s.secrets {
		name := o.Binding.Env
		for _, text := range s.flags.env {
			if set, _, _ := strings.Cut(text, "="); set == name {
				return fmt.Errorf("--env %s would show the program what %s keeps from it; leave it out", name, o.capability.Display())
			}
		}
		env[name] = o.Text
		if _, said := env[awsKeyID]; o.Binding.Place == binding.AWS && !said {
			env[awsKeyID] = o.Binding.Key // which clients want beside it, and which is no secret
		}
	}
	return nil
}

// use answers for a secret that one request wants.
//
// Security: where the secret goes is said by its binding, not by who asks. The
// gate decides each time, and the value is read after that, as it is then. It
// leaves this process when the decision is durable.
func (n *network) use(ctx context.Context, id uint64, u wire.Use) wire.Message {
	defer n.forget(id)
	answer := wire.Secret{Reason: "not-granted", Words: "this sandbox has no such secret"}
	i := slices.IndexFunc(n.s.secrets, func(o offered) bool { return o.Name == u.Name })
	if i >= 0 {
		answer = n.value(ctx, n.s.secrets[i], u)
	}
	return wire.Message{ID: id, Secret: &answer}
}

func (n *network) value(ctx context.Context, o offered, u wire.Use) wire.Secret {
	r := decision.Request{Subject: n.s.subject, Capability: o.capability, Why: capability.Printable(u.Method + " " + u.Path), CanAsk: n.asks != nil}
	d, got := n.decideUse(ctx, o, r)
	if d.Outcome == decision.Ask {
		r.ID = d.Request
		if said := n.asks.askUse(ctx, r); said != "" {
			n.tally.Denied(capability.SecretUse)
			return wire.Secret{Reason: "not-granted", Words: "the use of the secret " + o.Name + " was not granted: " + said}
		}
		r.ID, r.CanAsk = "", false
		d, got = n.decideUse(ctx, o, r)
	}
	if d.Outcome != decision.Allow {
		n.tally.Denied(capability.SecretUse)
		n.tell(o.capability, d)
		end := "not-granted"
		if o.granted {
			end = "withdrawn"
		}
		return wire.Secret{Reason: end, Words: "the use of the secret " + o.Name + " is not granted: " + reason(d) + " [" + d.Request + "]"}
	}
	n.tally.Allowed(capability.SecretUse)
	switch {
	case errors.Is(got.err, vaultwire.ErrNotFound):
		return wire.Secret{Reason: "withdrawn", Words: "the secret " + o.Name + " is no longer in the vault"}
	case got.err != nil:
		printf(n.s.app.err, "ambit: %v\n", got.err)
		return unreadable(o)
	case !sameUse(got.entry.Binding, o.Binding):
		return wire.Secret{Reason: "withdrawn", Words: "the secret " + o.Name + " was bound elsewhere since this run began; start it again"}
	}
	return wire.Secret{Value: []byte(got.value.Reveal())}
}

// fetched is what the vault has of a secret.
type fetched struct {
	entry vaultwire.Entry
	value binding.Value
	err   error
}

// decideUse decides about a use. Where that is allowed it has the secret read while
// the decision becomes durable, which takes as long.
//
// Security: got is empty unless the answer is Allow, which it is when the record is
// on the disk. What was read before that is in no other process but the vault's.
func (n *network) decideUse(ctx context.Context, o offered, r decision.Request) (d decision.Decision, got fetched) {
	var wanted vaultwire.Wanted
	var reading bool
	d = n.gate.CheckAllThen(ctx, []decision.Request{r}, func(answers []decision.Decision) []audit.Record {
		if answers[0].Outcome == decision.Allow {
			wanted, got.err = n.s.vault.want(o.Name)
			reading = got.err == nil
		}
		return nil
	})[0]
	if reading {
		got.entry, got.value, got.err = wanted.Value() // also of what was not to be: later answers come behind it
	}
	if d.Outcome != decision.Allow {
		got = fetched{}
	}
	return d, got
}

// placeholderMisuse is why a request is refused that has a placeholder where no
// secret goes.
const placeholderMisuse = "placeholder-misuse"

// misused prints the line of such a request, once for each destination.
func (n *network) misused(r wire.Request) {
	what := placeholderMisuse + " " + r.To.Scope()
	n.mu.Lock()
	before := n.told[what]
	n.told[what] = true
	n.mu.Unlock()
	if before || n.s.app.json {
		return
	}
	n.say(func() {
		printf(n.s.app.err, "ambit: refused %s of %s: %s\n", capability.Printable(r.Method), capability.Printable(r.To.Scope()), capability.Printable(r.Why))
	})
}

func unreadable(o offered) wire.Secret {
	return wire.Secret{Reason: "withdrawn", Words: "the secret " + o.Name + " cannot be read"}
}

// sameUse reports whether two bindings mean the same but for what is seen inside.
func sameUse(a, b binding.Binding) bool {
	a.Env, a.Prefix = b.Env, b.Prefix
	return a == b
}

// askUse asks a person about the use of a secret. It returns why nobody answered,
// or "".
func (t *toucher) askUse(ctx context.Context, r decision.Request) string {
	return t.askExactly(ctx, r, approval.Question{}, "this secret, toward this destination")
}
