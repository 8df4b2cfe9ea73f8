package egress_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/egress"
	"ambit.dev/ambit/internal/enforce/link/linktest"
)

// A withdrawer takes the grants away as soon as it is told of a connection: that
// is after the handshake, and before a byte is carried.
type withdrawer struct {
	tape
	once sync.Once
	w    *world
}

func (r *withdrawer) Record(f egress.Flow) {
	r.tape.Record(f)
	if f.End == "" {
		r.once.Do(func() {
			r.w.gate.grant()
			r.w.plane.Recheck()
			time.Sleep(50 * time.Millisecond) // for whatever would go wrong meanwhile
		})
	}
}

// TestWithdrawAtTheStart: a connection that is ended before it is carried ends,
// and nothing else with it.
func TestWithdrawAtTheStart(t *testing.T) {
	server := echo(t, "tcp", "127.0.0.1:0")
	grants := []string{fmt.Sprintf("net.connect:server.test:%d", server.Port()), fmt.Sprintf("net.connect:127.0.0.1:%d", server.Port())}
	to := fmt.Sprintf("server.test:%d", server.Port())
	r := &withdrawer{}
	r.w = start(t, linktest.Options{}, grants, func(c *egress.Config) { c.Recorder = r })
	r.w.hosts.set("server.test", "127.0.0.1")
	if got := r.w.see(t, "tcp", to, "x"); got.Text == "echo x" {
		t.Errorf("%+v", got)
	}
	if f := r.ended(t, 1)[0]; f.End != egress.Withdrawn {
		t.Errorf("%+v", f)
	}
	r.w.gate.grant(grants...)
	r.w.plane.Recheck()
	if got := r.w.see(t, "tcp", to, "x"); got.Text != "echo x" {
		t.Errorf("the next one: %+v", got)
	}
}
