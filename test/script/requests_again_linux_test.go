package script_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// asks makes requests on one connection until one is refused.
const asks = `import http.client, sys, time
host, port = sys.argv[1].rsplit(":", 1)
c = http.client.HTTPConnection(host, int(port))
for n in range(1, 100000):
    c.request("GET", "/repos/%d" % n)
    r = c.getresponse()
    r.read()
    print("request", n, r.status, flush=True)
    if r.status != 200: break
    time.sleep(0.005)`

// entry is what these tests look at of a record.
type entry struct {
	ID   string
	Body struct {
		Decision, Outcome, Path, End string
		Open                         bool
	}
}

// entries are the records of a kind.
func (b *bench) entries(kind string) (all []entry) {
	b.t.Helper()
	r := b.run("audit", "ls", "-n", "0", "--kind", kind, "--json")
	if strings.Contains(r.err, "nothing was recorded yet") {
		return nil
	}
	if err := json.Unmarshal([]byte(r.out), &all); err != nil {
		b.t.Fatalf("%v: %q %q", err, r.out, r.err)
	}
	return all
}

// decided holds that every record of a kind rests on a decision that is in the log,
// and returns by how many there are.
func (b *bench) decided(kind, outcome string) (records []entry, decisions map[string]int) {
	b.t.Helper()
	known := map[string]string{}
	for _, e := range b.entries("decision") {
		known[e.ID] = e.Body.Outcome
	}
	decisions = map[string]int{}
	for _, e := range b.entries(kind) {
		if e.Body.End != "" && kind == "request" {
			continue // it was refused
		}
		if known[e.Body.Decision] != outcome {
			b.t.Errorf("%+v rests on %q", e, known[e.Body.Decision])
		}
		decisions[e.Body.Decision]++
		records = append(records, e)
	}
	return records, decisions
}

// TestRequestsAgain: requests that one decision covers are recorded one by one with
// it, and counted; when its grant is revoked there are no more.
func TestRequestsAgain(t *testing.T) {
	b := newBench(t)
	f := newFar(t, b)
	b.run("grants", "add", "net.connect:"+f.plain+"/http:GET:/repos/**").want(t, 0)
	x := b.begin("run", "--", "python3", "-c", asks, f.plain)
	x.until("request 100 200")
	b.run("grants", "revoke", "--all").want(t, 0)
	x.ends("it goes on without its grant")
	lines := strings.Split(strings.TrimSpace(x.said()), "\n")
	made := 0
	for _, line := range lines {
		if strings.HasSuffix(line, " 200") {
			made++
		}
	}
	if seen := len(f.took()); seen != made || !strings.Contains(x.said(), " 403") && !strings.Contains(x.said(), "reset") {
		t.Errorf("the server saw %d requests of %d; it says %q", seen, made, lines[max(0, len(lines)-3):])
	}
	records, decisions := b.decided("request", "allow")
	ended := 0
	for _, e := range records {
		if !e.Body.Open {
			ended++
		}
	}
	if ended != made {
		t.Errorf("%d records of %d requests", ended, made)
	}
	if len(decisions) > made/4 { // one a second, and not one for each
		t.Errorf("%d decisions for %d requests", len(decisions), made)
	}
	if end := b.run("audit", "ls", "--kind", "session.end"); !strings.Contains(end.out, fmt.Sprintf("net.connect %d allowed", made+1)) && !strings.Contains(end.out, fmt.Sprintf("net.connect %d allowed", made+2)) {
		t.Errorf("%d requests over one connection were allowed; the end says %q", made, end.out) // and what the launch asked
	}
	b.run("audit", "verify").want(t, 0)
}

// TestRequestsAgainKilled: what goes on by a decision that was made before is in the
// log while it does, so that a launcher that is killed leaves it there, with the
// decision.
func TestRequestsAgainKilled(t *testing.T) {
	b := newBench(t)
	f := newFar(t, b)
	f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("began\n"))
		if r.URL.Path == "/long" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	url := "http://" + f.plain
	x := b.begin("run", "--allow", "net.connect:"+f.plain+"/http:GET", "--", "sh", "-c", `curl -sS "$1/a"; exec curl -sSN "$1/long"`, "sh", url)
	open := func() bool {
		for _, e := range b.entries("request") {
			if e.Body.Open && e.Body.Path == "/long" {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(patience); !open(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("what goes on is not in the log:\n%s\n%s", b.run("audit", "ls").out, x.said())
		}
	}
	if err := x.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	x.ends("it was killed")
	if records, _ := b.decided("request", "allow"); len(records) < 2 {
		t.Errorf("%d records of requests", len(records))
	}
	b.run("audit", "verify").want(t, 0)
}
