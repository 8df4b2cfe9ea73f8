package egress_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress"
)

// TestAgain: what one decision covers is put once, and each flow and each request is
// told with it; what it does not cover is put.
func TestAgain(t *testing.T) {
	o := open(t, false, []string{"net.connect:web.test:PORT/http:GET:/a/**"}, nil)
	url := "http://web.test:" + o.port
	begun := time.Now()
	for range 3 {
		if got := o.see(t, "fetch", o.ca, "GET", url+"/a/b", "GET", url+"/a/c"); got.Text != "ok ok" {
			t.Fatalf("%+v", got)
		}
	}
	leases := 1 + int(time.Since(begun)/time.Second) // what is remembered is for a second
	if n := len(o.gate.requests()); n > 2*leases {
		t.Errorf("put %d within %d leases: %q", n, leases, o.gate.requests())
	}
	flows := o.tape.ended(t, 3)
	told := o.ended()
	if len(flows) != 3 || flows[2].Again == 0 && leases == 1 || len(told) != 6 {
		t.Fatalf("told of %d flows, the last %+v, and %d requests", len(flows), flows[len(flows)-1], len(told))
	}
	answers := map[string]bool{}
	for _, r := range told {
		answers[r.Decision] = true
		if r.Decision == "" || len(r.Uses) != 1 || !slices.ContainsFunc(flows, func(f egress.Flow) bool { return f.ID == r.Flow }) {
			t.Errorf("told %+v", r)
		}
	}
	if len(answers) > leases {
		t.Errorf("they rest on %v", answers)
	}
	// The path is the one that servers would read.
	if got := o.see(t, "fetch", o.ca, "GET", url+"/a/../b", "GET", url+"/a/%2e%2e/b", "GET", url+"/a//b"); got.Text != "403 403 403" {
		t.Errorf("%+v", got)
	}
}

// TestAgainRevoked: what is remembered is forgotten with its grant, on a connection
// that is there and on a new one.
func TestAgainRevoked(t *testing.T) {
	for _, grants := range [][]string{{"net.connect:web.test:PORT/http:GET"}, {"net.connect:web.test:PORT"}} {
		o := open(t, false, grants, nil)
		url := "http://web.test:" + o.port
		if got := o.see(t, "fetch", o.ca, "GET", url+"/a"); got.Text != "ok" {
			t.Fatalf("%+v", got)
		}
		o.gate.grant("net.connect:127.0.0.1:" + o.port)
		o.plane.Recheck()
		if got := o.see(t, "fetch", o.ca, "GET", url+"/a"); !strings.Contains(got.Err, "refused") {
			t.Errorf("by %s: %+v", grants, got)
		}
	}
}

// A stale answers as its gate does, but what is called between is over before the
// answer arrives.
type stale struct {
	*gate
	mu      sync.Mutex
	between func() // guarded by mu; called once
}

func (s *stale) Check(ctx context.Context, r decision.Request) decision.Decision {
	d := s.gate.Check(ctx, r)
	s.mu.Lock()
	between := s.between
	if strings.Contains(r.Capability.String(), "/http:GET:/late") {
		s.between = nil
	} else {
		between = nil
	}
	s.mu.Unlock()
	if between != nil {
		between()
	}
	return d
}

// TestAgainStale: an answer that was on its way while its grant was revoked lets
// nothing through, and is not remembered.
func TestAgainStale(t *testing.T) {
	s := &stale{}
	o := open(t, false, []string{"net.connect:web.test:PORT/http:GET:/a", "net.connect:web.test:PORT/http:GET:/late"}, func(c *egress.Config) {
		s.gate = c.Checker.(*gate)
		c.Checker = s
	})
	s.mu.Lock()
	s.between = func() {
		o.gate.grant("net.connect:127.0.0.1:"+o.port, "net.connect:web.test:"+o.port+"/http:GET:/a")
		o.plane.Recheck()
	}
	s.mu.Unlock()
	url := "http://web.test:" + o.port
	if got := o.see(t, "fetch", o.ca, "GET", url+"/late", "GET", url+"/late", "GET", url+"/a"); got.Text != "403 403 ok" {
		t.Errorf("%+v, the server saw %q", got, o.served())
	}
}

// TestAgainAddress: that a name may be reached is remembered, not where it leads.
func TestAgainAddress(t *testing.T) {
	o := open(t, false, []string{"net.connect:web.test:PORT"}, nil)
	url := "http://web.test:" + o.port
	begun := time.Now()
	if got := o.see(t, "fetch", o.ca, "GET", url+"/a"); got.Text != "ok" {
		t.Fatalf("%+v", got)
	}
	o.hosts.set("web.test", "169.254.169.254")
	if got := o.see(t, "fetch", o.ca, "GET", url+"/a"); got.Err == "" {
		t.Errorf("%+v", got)
	}
	late := time.Since(begun) > time.Second // for what is remembered
	for _, f := range o.tape.ended(t, 2) {
		if f.ID == 2 && (f.End != egress.Class || f.Again == 0 && !late) {
			t.Errorf("%+v", f)
		}
	}
}
