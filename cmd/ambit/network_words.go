package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/wire"
)

// maxTold is how many lines of denials are printed for a session: paths of
// requests are the program's to make up. The log has all of them.
const maxTold = 256

// tell prints the line of a denial, once for each capability.
func (n *network) tell(c capability.Capability, d decision.Decision) {
	if n.s.app.json || c.IsZero() || n.aside(c) {
		return
	}
	what := c.Display()
	n.mu.Lock()
	before, many := n.told[what], len(n.told)
	if many < maxTold {
		n.told[what] = true
	}
	n.mu.Unlock()
	if before || many >= maxTold {
		return
	}
	fix := " allow: --allow " + shellWord(what)
	if _, ok := n.s.manifest.Declares(c); !ok {
		fix = " its manifest does not ask for it"
	} else if n.asks != nil {
		fix = " allow: ambit approve " + d.Request
	}
	n.say(func() { printf(n.s.app.err, "ambit: denied %s (%s) [%s]%s\n", what, rule(d), d.Request, fix) })
}

// aside reports whether a denial is of records of a name that may be connected to.
// Libraries look for them beside every connection (gRPC for its settings), so it
// is in the log, and no news to the person.
func (n *network) aside(c capability.Capability) bool {
	if c.Kind() != capability.DNSLookup {
		return false
	}
	name, _, _ := strings.Cut(c.Scope(), "/")
	want, err := capability.Parse(string(capability.NetConnect) + ":" + name)
	n.mu.Lock()
	some, all := n.some, n.all
	n.mu.Unlock()
	return all || err == nil && slices.ContainsFunc(some, func(k capability.Capability) bool {
		host := strings.FieldsFunc(k.Scope(), func(r rune) bool { return r == ':' || r == '/' })
		if !connects(k) || len(host) == 0 {
			return false
		}
		everywhere, err := capability.Parse(string(capability.NetConnect) + ":" + host[0] + ":*")
		return err == nil && everywhere.Covers(want)
	})
}

func connects(c capability.Capability) bool {
	return c.Kind() == capability.NetConnect || c.Kind() == capability.NetStream
}

// explain says why a program cannot use a connection that it was allowed, where
// the program itself can only guess.
func (n *network) explain(f wire.Flow) {
	const distrust = "client-distrusts-ca"
	if n.s.app.json || f.End != distrust {
		return
	}
	key := distrust + ":" + f.Capability.Display()
	n.mu.Lock()
	before := n.told[key]
	n.told[key] = true
	n.mu.Unlock()
	if before {
		return
	}
	n.say(func() {
		printf(n.s.app.err, "ambit: %s: %s [client-distrusts-ca]\n", f.Capability.Flow().Display(), capability.Printable(f.Why))
	})
}

// flowWords says what came of a flow.
func flowWords(b *audit.FlowBody) string {
	to := b.To
	if b.Name != "" {
		to = capability.Printable(string(b.Name)) + " (" + b.To + ")"
	}
	proto := "tcp"
	if b.UDP {
		proto = "udp"
	}
	if b.Inbound {
		to += " from " + b.From
	}
	text := fmt.Sprintf("%s to %s: %s, %d bytes in, %d out", proto, to, b.End, b.In, b.Out)
	if b.Open {
		text = fmt.Sprintf("%s to %s: goes on", proto, to)
	}
	if b.Dialled != "" {
		text += ", by " + b.Dialled
	}
	if b.Why != "" {
		text += "; " + capability.Printable(string(b.Why))
	}
	return text
}

// requestWords says what came of a request.
func requestWords(b *audit.RequestBody) string {
	text := fmt.Sprintf("%s %s over %s: %d, %d bytes in, %d out", capability.Printable(string(b.Method)), capability.Printable(string(b.Path)), b.To, b.Status, b.In, b.Out)
	if b.Open {
		text = fmt.Sprintf("%s %s over %s: goes on", capability.Printable(string(b.Method)), capability.Printable(string(b.Path)), b.To)
	}
	if b.End != "" {
		text += ", refused: " + b.End
	}
	if b.Why != "" {
		text += "; " + capability.Printable(string(b.Why))
	}
	return text
}

// lineOf is the command line of a process; nil where it cannot be read.
func lineOf(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if pid <= 0 || err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// askFlow asks a person about a flow that waits. It returns why nobody answered,
// or "".
func (t *toucher) askFlow(ctx context.Context, a wire.Ask) string {
	r := a.Request
	only := "only there: "
	if r.Capability.Kind() == capability.DNSLookup {
		only = "only these records: "
	}
	p := a.Flow.Program
	return t.askExactly(ctx, r, approval.Question{Program: p.Name, PID: p.PID, Argv: bounded(lineOf(p.PID))}, only+capability.Printable(r.Capability.Scope()))
}
