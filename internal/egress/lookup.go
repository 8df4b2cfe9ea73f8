//go:build linux

package egress

import (
	"fmt"

	"golang.org/x/net/dns/dnsmessage"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// maxLookups is how many names that are not known wait to be told of.
const maxLookups = 64

// A refusedLookup is a name that the sandbox looked up, and may not know, or not
// with that kind of record.
type refusedLookup struct {
	name string
	kind dnsmessage.Type
}

// capability is what would permit it: records have a right of their own, and
// addresses come with that to connect.
func (l refusedLookup) capability() (capability.Capability, error) {
	if text, ok := kinds[l.kind]; ok && l.kind != dnsmessage.TypeA && l.kind != dnsmessage.TypeAAAA {
		return capability.Parse(fmt.Sprintf("%s:%s/%s", capability.DNSLookup, l.name, text))
	}
	return capability.Parse("net.connect:" + l.name)
}

// lookedUp is told of what was refused. It is called while the sandbox waits for
// the answer, so it only notes it.
func (p *Plane) lookedUp(name string, kind dnsmessage.Type) {
	if _, ok := kinds[kind]; !ok && p.cfg.Known != nil && p.cfg.Known(name) {
		return // a record that nothing here has, and that no grant brings
	}
	select {
	case p.lookups <- refusedLookup{name, kind}:
	default: // there is more of that kind than anybody reads
	}
}

// tellLookups puts a request for each lookup that was refused, so that it is in
// the log and is told as every other denial is.
func (p *Plane) tellLookups() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case l := <-p.lookups:
			c, err := l.capability()
			if err != nil || p.cfg.Checker == nil || p.refused.find(c) != nil {
				continue
			}
			d := p.cfg.Checker.Check(p.ctx, decision.Request{Subject: p.cfg.Subject, Capability: c, Why: "look up " + l.name})
			p.refused.keep(c, refuse(NotGranted, "%s", reason(d)))
		}
	}
}
