package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// mostAgain is how many failed tests are run again at most. More of them are
// no accident of a busy machine.
const mostAgain = 3

// listAgain prints the failed tests of a run, as package and top-level test,
// if each of them may be run again and they are few; otherwise nothing.
func listAgain(w io.Writer, packages string, runs []string) error {
	text, err := os.ReadFile(packages)
	if err != nil {
		return err
	}
	may := map[string][]string{} // by package, the tests that are not
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			may[words[0]] = words[1:]
		}
	}
	for _, run := range runs {
		t, err := countFile(run)
		if err != nil {
			return err
		}
		var tests []string
		for _, f := range t.failures {
			name, ok := f.test()
			pkg, test, _ := strings.Cut(name, " ")
			if not, named := may[pkg]; !ok || !named || slices.Contains(not, test) {
				return nil
			}
			if !slices.Contains(tests, name) {
				tests = append(tests, name)
			}
		}
		if len(tests) > mostAgain {
			return nil
		}
		for _, name := range tests {
			fmt.Fprintln(w, name)
		}
	}
	return nil
}

// test is the package and the top-level test of a failure; false where it was
// outside every test, which running one again does not answer.
func (f failure) test() (string, bool) {
	pkg, test, ok := strings.Cut(f.name, " ")
	if test, _, _ = strings.Cut(test, "/"); !ok || !strings.HasPrefix(test, "Test") {
		return "", false
	}
	return pkg + " " + test, true
}

// runAgain takes note of what the failed tests came to when they were run
// again: who passed, and whose whole test passed, is unsteady and not failed.
func (t *tally) runAgain(name string) error {
	second, err := countFile(name)
	if err != nil {
		return err
	}
	t.failures = slices.DeleteFunc(t.failures, func(f failure) bool {
		whole, ok := f.test()
		if !ok || !second.ended[f.name] || !second.ended[whole] {
			return false
		}
		t.unsteady = append(t.unsteady, f)
		t.failed, t.passed = t.failed-1, t.passed+1
		return true
	})
	return nil
}

func countFile(name string) (tally, error) {
	f, err := os.Open(name)
	if err != nil {
		return tally{}, err
	}
	defer f.Close()
	t, err := count(f)
	if err != nil {
		return t, fmt.Errorf("read %q: %w", name, err)
	}
	return t, nil
}
