package egress_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress"
)

// A denier answers about where names lead, and denies what has some text in it.
type denier struct {
	mu    sync.Mutex
	no    string   // guarded by mu; "": nothing
	asked []string // guarded by mu
}

func (d *denier) leads(_ context.Context, r decision.Request) decision.Decision {
	d.mu.Lock()
	defer d.mu.Unlock()
	text := r.Name.String() + " " + r.Capability.String()
	if r.AnyPath {
		text += " any"
	}
	d.asked = append(d.asked, text)
	if d.no != "" && strings.Contains(text, d.no) {
		return decision.Decision{Request: "d-no", Outcome: decision.Deny, Reasons: []decision.Reason{{Text: "a rule is about it"}}}
	}
	return decision.Decision{Outcome: decision.Ask}
}

func (d *denier) deny(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.no = text
}

// about has rules about addresses stand from now on, and denials of some requests.
func (o *opened) about(t *testing.T, denials ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rules.Addresses, o.rules.Deny = true, nil
	for _, text := range denials {
		c, err := capability.Parse(strings.ReplaceAll(text, "PORT", o.port))
		if err != nil {
			t.Fatal(err)
		}
		o.rules.Deny = append(o.rules.Deny, c)
	}
}

// openLeads is a world in which a denier says where web.test may lead.
func openLeads(t *testing.T, grants ...string) (*opened, *denier, string) {
	t.Helper()
	d := &denier{}
	o := open(t, false, grants, func(c *egress.Config) { c.Leads = d.leads })
	return o, d, "http://web.test:" + o.port
}

// TestLeadsRequest: where something may deny addresses, each request is asked about by
// the address that it goes to, and one that is denied does not reach the server.
func TestLeadsRequest(t *testing.T) {
	o, d, url := openLeads(t, "net.connect:web.test:PORT/http:GET", "net.stream:web.test:PORT/http:GET")
	o.about(t)
	d.deny("/http:GET:/no")
	if got := o.see(t, "fetch", o.ca, "GET", url+"/yes", "GET", url+"/no", "GET", url+"/no", "GET", url+"/a/%2e%2e/no"); got.Text != "ok 403 403 ok" {
		t.Errorf("%+v", got)
	}
	if seen := o.served(); !slices.Equal(seen, []string{"GET /yes", "GET /a/../no"}) {
		t.Errorf("the server saw %q", seen)
	}
	about := func(rest string) string {
		return fmt.Sprintf("net.connect:web.test:%s/http%s net.connect:127.0.0.1:%s/http%s", o.port, rest, o.port, rest)
	}
	// The first is about the connection.
	want := []string{about(""), about(":GET:/yes"), about(":GET:/no"), about(":GET:/no"), about(":GET") + " any"}
	if !slices.Equal(d.asked, want) {
		t.Errorf("asked %q, want %q", d.asked, want)
	}
	o.tape.ended(t, 1)
	for _, r := range o.ended() {
		if denied := r.Path == "/no"; denied != (r.Decision == "d-no") || denied && (r.Status != 403 || !strings.Contains(r.Why, "resolves to 127.0.0.1: a rule is about it")) {
			t.Errorf("told %+v", r)
		}
	}
}

// TestLeadsWithdrawn: a request that goes on ends when it is denied at its address, and
// no other does.
func TestLeadsWithdrawn(t *testing.T) {
	o, d, url := openLeads(t, "net.connect:web.test:PORT/http:GET")
	done := make(chan outcome, 1)
	go func() { done <- o.see(t, "linger", url+"/stream") }()
	<-o.streams
	o.about(t)
	d.deny("127.0.0.1:" + o.port + "/http:GET:/other")
	o.plane.Recheck()
	select {
	case got := <-done:
		t.Fatalf("it ended though nothing denies it: %+v", got)
	default:
	}
	d.deny("127.0.0.1:" + o.port + "/http:GET:/stream")
	o.plane.Recheck()
	if got := <-done; got.Err == "" {
		t.Errorf("it ended well: %+v", got)
	}
	if f := o.tape.ended(t, 1)[0]; f.End != egress.Withdrawn {
		t.Errorf("%+v", f)
	}
}

// TestLeadsDenials: a denial of some requests to an address stops what nobody sees to be
// others: a connection that is passed through, and a path that may be any.
func TestLeadsDenials(t *testing.T) {
	const denial = "net.connect:127.0.0.1:PORT/http:GET:/no"
	o, _, url := openLeads(t, "net.connect:web.test:PORT/http:GET")
	o.about(t, denial)
	if got := o.see(t, "fetch", o.ca, "GET", url+"/yes", "GET", url+"/a/%2e%2e/no"); got.Text != "ok 403" {
		t.Errorf("%+v", got)
	}
	o, _, url = openLeads(t, "net.connect:web.test:PORT")
	done := make(chan outcome, 1)
	go func() { done <- o.see(t, "linger", url+"/stream") }()
	<-o.streams
	o.about(t, strings.ReplaceAll(denial, "PORT", "1"))
	o.plane.Recheck()
	select {
	case got := <-done:
		t.Fatalf("it ended though the denial is about another port: %+v", got)
	default:
	}
	o.about(t, denial)
	o.plane.Recheck()
	if got := <-done; got.Err == "" {
		t.Errorf("it ended well: %+v", got)
	}
	if got := o.see(t, "fetch", o.ca, "GET", url+"/yes"); !strings.Contains(got.Err, refused) {
		t.Errorf("%+v", got)
	}
}

// TestLeadsOne: a connection whose requests are decided by their address stays at one,
// and one that was at several when that began carries no more.
func TestLeadsOne(t *testing.T) {
	moves := func(t *testing.T, grant string) (*opened, string) {
		o, _, url := openLeads(t, grant)
		l, err := net.Listen("tcp4", "127.0.0.2:"+o.port)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(o.serve)}
		go s.Serve(l) //nolint:errcheck // it ends with the test
		t.Cleanup(func() { _ = s.Close() })
		o.gate.grant(strings.ReplaceAll(grant, "PORT", o.port), "net.connect:127.0.0.1:"+o.port, "net.connect:127.0.0.2:"+o.port)
		o.at("/last", func() { o.hosts.set("web.test", "127.0.0.2") })
		return o, url
	}
	const grant = "net.connect:web.test:PORT/http:GET"
	for name, tc := range map[string]struct {
		begin bool   // with rules about addresses
		want  string // of requests before and after the name has moved, and where the rules are there
	}{"from the beginning": {true, "ok 502 502"}, "later": {false, "ok ok 403"}} {
		t.Run(name, func(t *testing.T) {
			o, url := moves(t, grant)
			if tc.begin {
				o.about(t)
			}
			o.at("/moved", func() { o.about(t) })
			if got := o.see(t, "fetch", o.ca, "GET", url+"/last", "GET", url+"/moved", "GET", url+"/x"); got.Text != tc.want {
				t.Errorf("%+v, want %q", got, tc.want)
			}
		})
	}
	t.Run("a request that goes on", func(t *testing.T) {
		o, url := moves(t, grant)
		done := make(chan outcome, 1)
		go func() { done <- o.see(t, "fetch", o.ca, "GET", url+"/last", "GET", url+"/stream") }()
		<-o.streams
		o.plane.Recheck()
		select {
		case got := <-done:
			t.Fatalf("it ended though nothing is about addresses: %+v", got)
		default:
		}
		o.about(t)
		o.plane.Recheck()
		<-done
		if f := o.tape.ended(t, 1)[0]; f.End != egress.Withdrawn {
			t.Errorf("%+v", f)
		}
	})
}
