package egress_test

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress"
)

// TestLeads: where something may deny addresses, each that an allowed name leads to is
// asked about, with the name; one that is denied is not connected to, and a flow ends
// when its address is denied later, whether or not that was asked before.
func TestLeads(t *testing.T) {
	at := each(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })
	var some, denied atomic.Bool
	var mu sync.Mutex
	var asked []string
	leads := func(_ context.Context, r decision.Request) decision.Decision {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Name.String()+" leads to "+r.Capability.String())
		if denied.Load() {
			return decision.Decision{Outcome: decision.Deny, Reasons: []decision.Reason{{Text: "a rule is about it"}}}
		}
		return decision.Decision{Outcome: decision.Ask}
	}
	w, to := openTo(t, at, func(c *egress.Config) {
		c.Leads, c.Rules = leads, func() egress.Rules { return egress.Rules{Addresses: some.Load()} }
	})
	open := func() {
		t.Helper()
		go func() { _, _ = w.Do("sleep", to) }()
		until(t, "it is open", func() bool { f := w.plane.Flows(); return len(f) == 1 && !f[0].Connected.IsZero() })
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(asked) }
	open()
	if n := count(); n > 0 {
		t.Errorf("%d addresses were asked about where nothing is about them", n)
	}
	some.Store(true)
	w.plane.Recheck()
	name, port, _ := net.SplitHostPort(to)
	if n := count(); n != 1 || asked[0] != "net.connect:"+name+":"+port+" leads to net.connect:127.0.0.1:"+port || len(w.plane.Flows()) != 1 {
		t.Errorf("asked %q, and there are %d flows", asked, len(w.plane.Flows()))
	}
	denied.Store(true)
	w.plane.Recheck()
	if f := w.tape.ended(t, 1)[0]; f.End != egress.Withdrawn {
		t.Errorf("%+v", f)
	}
	if got := w.see(t, "tcp", to, "x"); !strings.Contains(got.Err, refused) {
		t.Errorf("%+v", got)
	}
	if f := w.tape.ended(t, 2)[1]; f.End != egress.NotGranted || !strings.Contains(f.Why, "resolves to 127.0.0.1: a rule is about it") {
		t.Errorf("%+v", f)
	}
	denied.Store(false)
	w.plane.Recheck() // what was refused is forgotten
	open()
}
