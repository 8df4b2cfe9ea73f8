//go:build linux

package egress

import (
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// maxLookups is how many names that are not known wait to be told of.
const maxLookups = 64

// lookedUp is told of a name that the sandbox looked up and may not know. It is
// called while the sandbox waits for the answer, so it only notes the name.
func (p *Plane) lookedUp(name string) {
	select {
	case p.lookups <- name:
	default: // there is more of that kind than anybody reads
	}
}

// tellLookups puts a request for each name that was refused, so that it is in
// the log and is told as every other denial is.
func (p *Plane) tellLookups() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case n := <-p.lookups:
			c, err := capability.Parse("net.connect:" + n)
			if err != nil || p.cfg.Checker == nil || p.refused.find(c) != nil {
				continue
			}
			d := p.cfg.Checker.Check(p.ctx, decision.Request{Subject: p.cfg.Subject, Capability: c, Why: "look up " + n})
			p.refused.keep(c, refuse(NotGranted, "%s", reason(d)))
		}
	}
}
