package egress_test

import (
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress"
)

// TestShelf: a connection to a server that an earlier one of the sandbox's used is used
// again, where its address is what the name leads to now and is granted, and until
// grants change.
func TestShelf(t *testing.T) {
	o := open(t, false, []string{"net.connect:web.test:PORT/http:GET"}, nil)
	url := "http://web.test:" + o.port + "/from"
	gone := 0
	from := func() string {
		t.Helper()
		got := o.see(t, "fetch", o.ca, "GET", url)
		if got.Err != "" {
			t.Fatalf("%+v", got)
		}
		gone++
		o.tape.ended(t, gone) // what it used lies on the shelf then
		return got.Text
	}
	first := from()
	if second := from(); second != first {
		t.Errorf("from %s, then from %s", first, second)
	}
	flows := o.tape.ended(t, 2)
	if flows[1].Dialled.String() != "127.0.0.1:"+o.port || flows[1].Connected.IsZero() {
		t.Errorf("told of %+v", flows[1])
	}
	// The name leads elsewhere, where nobody may go.
	o.hosts.set("web.test", "127.0.0.2")
	if got := from(); got != "502" {
		t.Error(got)
	}
	// Where one may go, and nobody listens.
	rule, there, elsewhere := "net.connect:web.test:"+o.port+"/http:GET", "net.connect:127.0.0.1:"+o.port, "net.connect:127.0.0.2:"+o.port
	o.gate.grant(rule, there, elsewhere)
	if got := from(); got != "502" {
		t.Error(got)
	}
	// To both, of which the second is the one.
	o.hosts.set("web.test", "127.0.0.2", "127.0.0.1")
	if both := from(); both != first {
		t.Errorf("from %s, and from %s by two addresses", first, both)
	}
	o.hosts.set("web.test", "127.0.0.1")
	// The address is not granted any more, and nobody has said so yet.
	o.gate.grant(rule)
	time.Sleep(1100 * time.Millisecond) // an answer is remembered for a second
	if got := from(); got != "502" {
		t.Error(got)
	}
	o.gate.grant(rule, there)
	if third := from(); third != first {
		t.Errorf("from %s, and from %s at last", first, third)
	}
	o.plane.Recheck()
	if last := from(); last == first {
		t.Error("grants have changed, and the connection is there still")
	}
	for _, f := range o.tape.ended(t, gone) {
		if f.End != egress.Done {
			t.Errorf("%+v", f)
		}
	}
}
