// Command bench measures Ambit beside bubblewrap, firejail, runc and plain
// exec on this host, in one run, and judges each number against its target.
//
// What is compared is interleaved: in every round each sandbox does the same
// thing once, in an order that turns, so that other load on the host falls on
// all alike. Every start records its decision durably (the audit log is on).
// Times of jobs are taken inside the sandbox by the same timer as outside and
// hold no start: subtracting a start that varies by more than a short job
// takes would not be honest.
//
// It is a module of its own so that it can never be linked into the product.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// parts are what can be measured, in order; --only names some of them.
var parts = []string{"start", "many", "memory", "jobs", "asking", "network", "requests", "tiers", "audit", "host"}

// results is everything that one run found.
type results struct {
	Host   host
	Peers  []peer
	Left   []string // peers that were left out, and why
	Rounds int
	Took   time.Duration

	Start  map[string]samples            // peer → start to exit of /bin/true
	InTree map[string]samples            // the same with the tree granted and as working folder
	Many   map[string]many               // peer → a hundred at once
	Memory map[string]memory             // peer → supervisors of one idle sandbox
	Jobs   map[string]map[string]samples // job → peer → time without start

	Asking askingNumbers // the same in a view that asks

	Networks []network           // those that were measured
	Traffic  map[string]*traffic // by name

	Ways   []string           // to fetch over TLS, those that were measured
	Opened map[string]*opened // by name

	Tiers tierNumbers // beside each other, and gVisor's own runtime

	Audit   auditNumbers
	Host200 hostNumbers // ambit serve
	Skipped []string
}

func main() {
	do := run
	if len(os.Args) > 1 && os.Args[1] == "inside" { // a copy of this program, in a sandbox
		do = func() error { return inside(os.Args[2:]) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	root := flag.String("root", ".", "checkout: where bin/ambit is and docs/bench is written")
	only := flag.String("only", strings.Join(parts, ","), "what to measure")
	rounds := flag.Int("rounds", 30, fmt.Sprintf("rounds; jobs take a third of it, starts at least %d", leastStarts))
	budget := flag.Duration("budget", 5*time.Minute, "stop adding rounds after this long")
	ambit := flag.String("ambit", "", "the ambit to measure (default bin/ambit of the checkout)")
	srt := flag.String("srt", "", "Anthropic's sandbox-runtime, to measure its network beside the others")
	runsc := flag.String("runsc", "", "gVisor's own runtime, to measure it beside the tiers")
	write := flag.Bool("write", true, "write docs/bench")
	flag.Parse()
	wanted := strings.Split(*only, ",")
	for _, w := range wanted {
		if !slices.Contains(parts, w) {
			return fmt.Errorf("--only %q: expected some of %s", w, strings.Join(parts, ","))
		}
	}
	if *rounds < 1 {
		return fmt.Errorf("--rounds %d: expected at least 1", *rounds)
	}
	top, err := filepath.Abs(*root)
	if err != nil {
		return err
	}

	began := time.Now()
	if *ambit == "" {
		*ambit = filepath.Join(top, "bin", "ambit")
	}
	p, err := newPlace(top, *ambit, *srt, slices.ContainsFunc(wanted, func(w string) bool { return w == "start" || w == "jobs" || w == "asking" }))
	if err != nil {
		return err
	}
	defer p.remove()
	p.runsc = *runsc
	r := &results{Host: readHost(), Rounds: *rounds}
	r.Peers, r.Left = p.peers()
	for _, left := range r.Left {
		say("Left out: %s", left)
	}
	m := measurer{place: p, results: r, rounds: *rounds, deadline: began.Add(*budget)}
	for _, part := range wanted {
		say("Measuring: %s", part)
		if err := m.measure(part); err != nil {
			return err
		}
	}
	r.Took = time.Since(began).Round(time.Second)

	text := r.markdown()
	fmt.Print("\n", text)
	if !r.has("ambit") {
		return errors.New("ambit itself could not be measured; docs/bench is left as it was")
	}
	if !*write {
		return nil
	}
	return r.save(filepath.Join(top, "docs", "bench"), text)
}

func say(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }
