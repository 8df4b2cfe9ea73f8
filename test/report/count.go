package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, ImportPath, FailedBuild, Test, Output string
	Elapsed                                                float64 // seconds
}

// tally is what one run of the tests came to.
type tally struct {
	passed, failed, skipped int
	failures                []failure
	unsteady                []failure       // failed, and passed when they were run again alone
	skips                   []string        // name and requirement
	unstated                []string        // skipped without saying what is missing
	slow                    []string        // packages that took long
	ended                   map[string]bool // tests, and whether they passed
}

// failure is a test that failed, or a package that did outside every test.
type failure struct{ name, output string }

// test is what is known of one test while its events arrive.
type test struct {
	output  strings.Builder
	parent  bool // has subtests, which are counted in its place
	failing bool // a subtest failed
}

// count reads the events of one run. A test with subtests counts as its
// subtests; it counts itself only if it failed and none of them did.
func count(r io.Reader) (tally, error) {
	t := tally{ended: map[string]bool{}}
	tests := map[string]*test{}
	builds := map[string]*strings.Builder{}
	failed := map[string]bool{} // packages with a failed test
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return t, fmt.Errorf("%w in %q", err, lines.Text())
		}
		name := strings.TrimSpace(e.Package + " " + e.Test)
		if tests[name] == nil {
			tests[name] = &test{}
		}
		at := tests[name]
		switch e.Action {
		case "build-output":
			if builds[e.ImportPath] == nil {
				builds[e.ImportPath] = &strings.Builder{}
			}
			builds[e.ImportPath].WriteString(e.Output)
		case "build-fail":
			t.failed++
			t.failures = append(t.failures, failure{e.ImportPath + " does not build", indent(builds[e.ImportPath])})
		case "output":
			at.output.WriteString(e.Output)
		case "run":
			if i := strings.LastIndex(e.Test, "/"); i > 0 {
				if up := tests[e.Package+" "+e.Test[:i]]; up != nil {
					up.parent = true
				}
			}
		case "pass", "fail", "skip":
			if e.Test == "" && e.Elapsed > 30 {
				t.slow = append(t.slow, fmt.Sprintf("%s: %.0f s", e.Package, e.Elapsed))
			}
			t.end(e, name, at, tests, failed)
		}
	}
	return t, lines.Err()
}

// end counts a test that has ended; e.Test is empty for a whole package.
func (t *tally) end(e event, name string, at *test, tests map[string]*test, failed map[string]bool) {
	t.ended[name] = e.Action == "pass"
	switch {
	case e.Action == "fail" && e.Test == "" && e.FailedBuild == "" && !failed[e.Package]:
		// Outside every test: a panic, an exit, a timeout.
		t.failed++
		t.failures = append(t.failures, failure{name, indent(&at.output)})
	case e.Test == "":
	case e.Action == "fail":
		failed[e.Package] = true
		if i := strings.LastIndex(e.Test, "/"); i > 0 {
			if up := tests[e.Package+" "+e.Test[:i]]; up != nil {
				up.failing = true
			}
		}
		if !at.failing {
			t.failed++
			t.failures = append(t.failures, failure{name, indent(&at.output)})
		}
	case e.Action == "skip":
		t.skipped++
		if _, what, ok := strings.Cut(at.output.String(), "requires: "); ok {
			what, _, _ = strings.Cut(what, "\n")
			t.skips = append(t.skips, name+", requires: "+what)
		} else {
			t.skips = append(t.skips, name)
			t.unstated = append(t.unstated, name)
		}
	case !at.parent:
		t.passed++
	}
	at.output.Reset()
}

func indent(b *strings.Builder) string {
	if b == nil {
		return ""
	}
	return "    " + strings.ReplaceAll(strings.TrimRight(b.String(), "\n"), "\n", "\n    ")
}
