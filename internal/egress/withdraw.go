//go:build linux

package egress

import (
	"slices"
	"sync"

	"ambit.dev/ambit/internal/core/decision"
)

// Recheck puts again what the flows rest on, and ends those that are no longer
// permitted. It is called when grants have changed, and returns when it is done.
func (p *Plane) Recheck() {
	p.rechecks.Add(1)
	p.memory.forget()
	p.refused.forget()
	if engine := p.opener.Load(); engine != nil {
		engine.Recheck()
	}
	still := p.putAgain(p.permissions())
	p.published.each(func(u *Published) {
		if !still[u.must] {
			u.Close()
		}
	})
	p.flows.each(func(f *flow) {
		rests, passed := p.restsOf(f)
		if passed && p.nowOpens(f) {
			f.end(Withdrawn, "its requests are decided one by one now")
			return
		}
		if p.asksAddresses() && f.leadsToSeveral() {
			f.end(Withdrawn, severalAddresses)
			return
		}
		for _, m := range rests {
			if ok, known := still[m]; known && !ok {
				f.end(Withdrawn, "what permitted it is no longer granted")
				return
			}
		}
	})
}

// nowOpens reports whether a flow that is passed through would be opened by now.
func (p *Plane) nowOpens(f *flow) bool {
	told := f.snapshot()
	if told.Inbound || told.Capability.IsZero() {
		return false
	}
	t, release, no := p.locate(told.To, told.UDP)
	release()
	return no == nil && p.opens(t)
}

// permissions are those that any flow or published port rests on.
func (p *Plane) permissions() map[permission]decision.Subject {
	all := map[permission]decision.Subject{}
	p.flows.each(func(f *flow) {
		s := p.subject(f)
		rests, _ := p.restsOf(f)
		for _, m := range rests {
			all[m] = s
		}
	})
	p.published.each(func(u *Published) { all[u.must] = p.cfg.Subject })
	return all
}

// restsOf is what a flow rests on: what was allowed, and that the address to which its
// name led is not denied, nor a request that is made there now. passed says that its
// requests are not decided one by one.
func (p *Plane) restsOf(f *flow) (rests []permission, passed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	rests = slices.Clone(f.rests)
	if to := f.told.Dialled; f.told.Name != "" && to.IsValid() && p.asksAddresses() {
		t := target{name: f.told.Name, port: to.Port(), udp: f.told.UDP}
		c, _ := t.asked(f.opened) // where there is none, what is asked is nothing, and denied
		rests = append(rests, t.leadsTo(to.Addr(), c, false)...)
		for _, m := range f.rests {
			if f.opened && !m.addr && m.capability.Requests() {
				rests = append(rests, t.leadsTo(to.Addr(), m.capability, m.anyPath)...)
			}
		}
	}
	return rests, !f.opened
}

// putAgain puts each permission once, some at a time.
func (p *Plane) putAgain(all map[permission]decision.Subject) map[permission]bool {
	var (
		mu    sync.Mutex
		still = map[permission]bool{}
		group sync.WaitGroup
		place = make(chan struct{}, 16)
	)
	for m, s := range all {
		place <- struct{}{}
		group.Go(func() {
			defer func() { <-place }()
			ok := p.permitted(m, s)
			mu.Lock()
			defer mu.Unlock()
			still[m] = ok
		})
	}
	group.Wait()
	return still
}

func (p *Plane) permitted(m permission, s decision.Subject) bool {
	if !m.name.IsZero() {
		return p.leads(p.ctx, s, m).Outcome != decision.Deny
	}
	d := p.cfg.Checker.Check(p.ctx, decision.Request{Subject: s, Capability: m.capability, Why: "grants have changed", AnyPath: m.anyPath})
	by := covering(d)
	if d.Outcome != decision.Allow || m.addr && anyHost(by) {
		return false
	}
	return honoured(by, hostOf(m.capability))
}

// stands puts again what one flow rests on.
func (p *Plane) stands(f *flow) bool {
	s := p.subject(f)
	rests, _ := p.restsOf(f)
	for _, m := range rests {
		if !p.permitted(m, s) {
			return false
		}
	}
	return true
}
