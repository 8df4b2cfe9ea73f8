// Command report reads what `go test -json` wrote, counts, and judges: a
// failed test, a skip that states no requirement, more skips than are recorded
// for the mode, a statement that should be covered and is not. It runs nothing.
//
// It is a module of its own so that it can never be linked into the product or
// import from it.
//
//	report -skips test/skips.txt [-cover core.out] root=root.json[,again.json] user=user.json
//	report -again test/again.txt root.json
//
// The second prints which of the failed tests may be run once more, alone; what
// that came to is the second file of a mode.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	skips := flag.String("skips", "", "file with the recorded number of skips for each mode")
	cover := flag.String("cover", "", "coverage profile in which every statement must be covered")
	again := flag.String("again", "", "file with the packages whose tests may be run again; prints those that failed")
	flag.Parse()
	if *again != "" {
		if err := listAgain(os.Stdout, *again, flag.Args()); err != nil {
			fmt.Fprintln(os.Stderr, "report:", err)
			os.Exit(1)
		}
		return
	}
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
	unsteady := 0
	for _, run := range runs {
		mode, files, _ := strings.Cut(run, "=")
		name, second, again := strings.Cut(files, ",")
		t, err := countFile(name)
		if err == nil && again {
			err = t.runAgain(second)
		}
		if err != nil {
			return false, err
		}
		fmt.Fprintf(w, "\n%s: %d passed, %d failed, %d skipped\n", mode, t.passed, t.failed, t.skipped)
		for _, s := range t.slow {
			fmt.Fprintln(w, "  slow", s)
		}
		for _, s := range t.skips {
			fmt.Fprintln(w, "  skipped", s)
		}
		for _, f := range t.unsteady {
			fmt.Fprintf(w, "  UNSTEADY (passed when it was run again, alone) %s\n%s\n", f.name, f.output)
		}
		for _, f := range t.failures {
			fmt.Fprintf(w, "  FAILED %s\n%s\n", f.name, f.output)
		}
		faults = append(faults, t.faults(mode, recorded)...)
		all.passed, all.failed, all.skipped = all.passed+t.passed, all.failed+t.failed, all.skipped+t.skipped
		unsteady += len(t.unsteady)
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
	if unsteady > 0 {
		fmt.Fprintf(w, "%d of the passed failed at first, beside the others; see UNSTEADY above\n", unsteady)
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
