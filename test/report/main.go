// Command report reads what `go test -json` wrote, counts, and judges: a
// failed test, a skip that states no requirement, more skips than are recorded
// for the mode, a statement that should be covered and is not. It runs nothing.
//
// It is a module of its own so that it can never be linked into the product or
// import from it.
//
//	report -skips test/skips.txt [-cover core.out] root=root.json user=user.json
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
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
	failures                []string // name and output
	skips                   []string // name and requirement
	unstated                []string // skipped without saying what is missing
	slow                    []string // packages that took long
}

// test is what is known of one test while its events arrive.
type test struct {
	output  strings.Builder
	parent  bool // has subtests, which are counted in its place
	failing bool // a subtest failed
}

func main() {
	skips := flag.String("skips", "", "file with the recorded number of skips for each mode")
	cover := flag.String("cover", "", "coverage profile in which every statement must be covered")
	flag.Parse()
	ok, err := judge(os.Stdout, *skips, *cover, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// judge prints what the runs (mode=file) came to, the totals last, and says
// whether all is well.
func judge(w io.Writer, skips, cover string, runs []string) (bool, error) {
	recorded, err := readSkips(skips)
	if err != nil {
		return false, err
	}
	var all tally
	var faults []string
	for _, run := range runs {
		mode, name, _ := strings.Cut(run, "=")
		f, err := os.Open(name)
		if err != nil {
			return false, err
		}
		t, err := count(f)
		f.Close()
		if err != nil {
			return false, fmt.Errorf("read %q: %w", name, err)
		}
		fmt.Fprintf(w, "\n%s: %d passed, %d failed, %d skipped\n", mode, t.passed, t.failed, t.skipped)
		for _, s := range t.slow {
			fmt.Fprintln(w, "  slow", s)
		}
		for _, s := range t.skips {
			fmt.Fprintln(w, "  skipped", s)
		}
		for _, s := range t.failures {
			fmt.Fprintln(w, "  FAILED", s)
		}
		faults = append(faults, t.faults(mode, recorded)...)
		all.passed, all.failed, all.skipped = all.passed+t.passed, all.failed+t.failed, all.skipped+t.skipped
	}
	if cover != "" {
		missed, total, err := uncovered(cover)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(w, "\ncoverage of internal/core: %.1f %% of %d statements\n", percent(total-missed.statements, total), total)
		if missed.statements > 0 {
			faults = append(faults, "not covered: "+strings.Join(missed.blocks, ", "))
		}
	}
	fmt.Fprintln(w)
	for _, f := range faults {
		fmt.Fprintln(w, f)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", all.passed, all.failed, all.skipped)
	return len(faults) == 0, nil
}

// faults says what is wrong with a run, in lines for people.
func (t tally) faults(mode string, recorded map[string]int) (lines []string) {
	if t.failed > 0 {
		lines = append(lines, fmt.Sprintf("%s: %d failed", mode, t.failed))
	}
	if t.passed == 0 {
		lines = append(lines, mode+": no test ran")
	}
	for _, name := range t.unstated {
		lines = append(lines, fmt.Sprintf("%s: %s is skipped and does not say what it requires", mode, name))
	}
	want, ok := recorded[mode]
	switch {
	case !ok:
		lines = append(lines, fmt.Sprintf("%s: no number of skips is recorded for this mode", mode))
	case t.skipped > want:
		lines = append(lines, fmt.Sprintf("%s: %d skipped, at most %d are expected: bring back what they require, or record the new number and why",
			mode, t.skipped, want))
	}
	return lines
}

// count reads the events of one run. A test with subtests counts as its
// subtests; it counts itself only if it failed and none of them did.
func count(r io.Reader) (tally, error) {
	var t tally
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
			t.failures = append(t.failures, e.ImportPath+" does not build\n"+indent(builds[e.ImportPath]))
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
	switch {
	case e.Action == "fail" && e.Test == "" && e.FailedBuild == "" && !failed[e.Package]:
		// Outside every test: a panic, an exit, a timeout.
		t.failed++
		t.failures = append(t.failures, name+"\n"+indent(&at.output))
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
			t.failures = append(t.failures, name+"\n"+indent(&at.output))
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

// readSkips reads lines of "mode number"; # begins a comment.
func readSkips(name string) (map[string]int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	recorded := map[string]int{}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		number, err := strconv.Atoi(f[len(f)-1])
		if len(f) != 2 || err != nil || number < 0 {
			return nil, fmt.Errorf("%s:%d: expected a mode and a number, as in \"root 0\"", name, n)
		}
		recorded[f[0]] = number
	}
	return recorded, nil
}

// missing is what a profile says was never run.
type missing struct {
	statements int
	blocks     []string
}

// uncovered reads a profile of go test -coverprofile. A block that appears
// several times is covered if one of its lines says so.
func uncovered(name string) (m missing, total int, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return m, 0, err
	}
	type block struct{ statements, runs int }
	blocks := map[string]block{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "mode:" {
			continue
		}
		statements, err1 := strconv.Atoi(f[1])
		runs, err2 := strconv.Atoi(f[2])
		if err1 != nil || err2 != nil {
			return m, 0, fmt.Errorf("read %q: not a coverage profile: %q", name, line)
		}
		blocks[f[0]] = block{statements, blocks[f[0]].runs + runs}
	}
	for at, b := range blocks {
		total += b.statements
		if b.runs == 0 && b.statements > 0 {
			m.statements += b.statements
			m.blocks = append(m.blocks, at)
		}
	}
	slices.Sort(m.blocks)
	return m, total, nil
}

// percent rounds down, so that 100.0 means all of it.
func percent(part, whole int) float64 {
	if whole == 0 {
		return 100
	}
	return float64(part*1000/whole) / 10
}
