package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run is what the go command prints for one package with every kind of end.
const run = `
{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestPlain"}
{"Action":"output","Package":"m/a","Test":"TestPlain","Output":"=== RUN   TestPlain\n"}
{"Action":"pass","Package":"m/a","Test":"TestPlain"}
{"Action":"run","Package":"m/a","Test":"TestParent"}
{"Action":"run","Package":"m/a","Test":"TestParent/one"}
{"Action":"pass","Package":"m/a","Test":"TestParent/one"}
{"Action":"run","Package":"m/a","Test":"TestParent/two"}
{"Action":"pass","Package":"m/a","Test":"TestParent/two"}
{"Action":"pass","Package":"m/a","Test":"TestParent"}
{"Action":"run","Package":"m/a","Test":"TestSkip"}
{"Action":"output","Package":"m/a","Test":"TestSkip","Output":"    a_test.go:9: requires: cgroup v2\n"}
{"Action":"output","Package":"m/a","Test":"TestSkip","Output":"--- SKIP: TestSkip (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestSkip"}
{"Action":"pass","Package":"m/a","Elapsed":31.4}
{"Action":"skip","Package":"m/empty"}
`

const broken = run + `
{"Action":"run","Package":"m/b","Test":"TestParent"}
{"Action":"run","Package":"m/b","Test":"TestParent/bad"}
{"Action":"output","Package":"m/b","Test":"TestParent/bad","Output":"    b_test.go:3: got 1, want 2\n"}
{"Action":"fail","Package":"m/b","Test":"TestParent/bad"}
{"Action":"fail","Package":"m/b","Test":"TestParent"}
{"Action":"output","Package":"m/b","Output":"FAIL\n"}
{"Action":"fail","Package":"m/b"}
{"Action":"output","Package":"m/c","Output":"panic: in TestMain\n"}
{"Action":"fail","Package":"m/c"}
{"ImportPath":"m/d","Action":"build-output","Output":"d.go:1:1: no\n"}
{"ImportPath":"m/d","Action":"build-fail"}
{"Action":"fail","Package":"m/d","FailedBuild":"m/d"}
`

const quiet = `
{"Action":"run","Package":"m/a","Test":"TestSkip"}
{"Action":"output","Package":"m/a","Test":"TestSkip","Output":"    a_test.go:9: not today\n"}
{"Action":"skip","Package":"m/a","Test":"TestSkip"}
`

func TestJudge(t *testing.T) {
	for _, tc := range []struct {
		name, events, skips, cover string
		ok                         bool
		last                       string
		want                       []string
	}{
		{"all well", run, "root 1", "", true, "3 passed, 0 failed, 1 skipped", []string{"m/a TestSkip, requires: cgroup v2", "slow m/a: 31 s"}},
		{"fewer skips than recorded", run, "root 4 # old host", "", true, "3 passed, 0 failed, 1 skipped", nil},
		{"more skips", run, "root 0", "", false, "3 passed, 0 failed, 1 skipped", []string{"root: 1 skipped, at most 0 are expected"}},
		{"mode not recorded", run, "user 1", "", false, "3 passed, 0 failed, 1 skipped", []string{"root: no number of skips"}},
		{"failures", broken, "root 1", "", false, "3 passed, 3 failed, 1 skipped",
			[]string{"FAILED m/b TestParent/bad\n        b_test.go:3: got 1, want 2", "panic: in TestMain", "m/d does not build\n    d.go:1:1: no"}},
		{"a skip without a reason", quiet, "root 1", "", false, "0 passed, 0 failed, 1 skipped",
			[]string{"m/a TestSkip is skipped and does not say what it requires", "no test ran"}},
		{"covered", run, "root 1", "mode: set\nm/a.go:1.2,3.4 2 1\nm/a.go:1.2,3.4 2 0\n", true, "3 passed, 0 failed, 1 skipped",
			[]string{"100.0 % of 2 statements"}},
		{"not covered", run, "root 1", "mode: set\nm/a.go:1.2,3.4 9999 1\nm/a.go:5.2,6.4 1 0\n", false, "3 passed, 0 failed, 1 skipped",
			[]string{"99.9 % of 10000 statements", "not covered: m/a.go:5.2,6.4"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			file := func(name, text string) string {
				if text == "" {
					return ""
				}
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, []byte(strings.TrimLeft(text, "\n")), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			var out strings.Builder
			ok, err := judge(&out, file("skips", tc.skips), file("cover", tc.cover), []string{"root=" + file("events", tc.events)})
			if err != nil || ok != tc.ok {
				t.Errorf("judge: got %v, %v, want %v", ok, err, tc.ok)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if got := lines[len(lines)-1]; got != tc.last {
				t.Errorf("last line: got %q, want %q", got, tc.last)
			}
			for _, want := range tc.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in:\n%s", want, out.String())
				}
			}
		})
	}
}

// unsteady is a run with one failed test, and steady what it came to alone.
const unsteady = run + `
{"Action":"run","Package":"m/b","Test":"TestParent"}
{"Action":"run","Package":"m/b","Test":"TestParent/bad"}
{"Action":"output","Package":"m/b","Test":"TestParent/bad","Output":"    b_test.go:3: got 1, want 2\n"}
{"Action":"fail","Package":"m/b","Test":"TestParent/bad"}
{"Action":"fail","Package":"m/b","Test":"TestParent"}
{"Action":"fail","Package":"m/b"}
`

const steady = `
{"Action":"run","Package":"m/b","Test":"TestParent"}
{"Action":"run","Package":"m/b","Test":"TestParent/bad"}
{"Action":"pass","Package":"m/b","Test":"TestParent/bad"}
{"Action":"pass","Package":"m/b","Test":"TestParent"}
{"Action":"pass","Package":"m/b"}
`

// TestAgain: what failed passes only if it was run again, as a whole, and passed.
func TestAgain(t *testing.T) {
	for _, tc := range []struct {
		name, first, second string
		told, ok            bool
	}{
		{"passed alone", unsteady, steady, true, true},
		{"failed again", unsteady, strings.ReplaceAll(steady, "pass", "fail"), false, false},
		{"another part of it failed", unsteady, strings.Replace(steady, `"pass","Package":"m/b","Test":"TestParent"}`, `"fail","Package":"m/b","Test":"TestParent"}`, 1), false, false},
		{"skipped alone", unsteady, strings.ReplaceAll(steady, "pass", "skip"), false, false},
		{"it did not run", unsteady, `{"Action":"start","Package":"m/b"}`, false, false},
		{"a package failed", broken, steady, true, false},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"skips": "root 1\n", "first": tc.first, "second": tc.second} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.TrimLeft(text, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		ok, err := judge(&out, filepath.Join(dir, "skips"), "", []string{"root=" + filepath.Join(dir, "first") + "," + filepath.Join(dir, "second")})
		if err != nil || ok != tc.ok {
			t.Errorf("%s: got %v, %v, want %v\n%s", tc.name, ok, err, tc.ok, out.String())
		}
		if told := strings.Contains(out.String(), "UNSTEADY") && strings.Contains(out.String(), "1 of the passed failed at first"); told != tc.told {
			t.Errorf("%s: told as unsteady: %v\n%s", tc.name, told, out.String())
		}
	}
}

// TestWhatMayRunAgain: few tests, of packages that are named, and no package as a whole.
func TestWhatMayRunAgain(t *testing.T) {
	many := unsteady
	for _, name := range []string{"TestB", "TestC", "TestD"} {
		many += `{"Action":"fail","Package":"m/b","Test":"` + name + "\"}\n"
	}
	for _, tc := range []struct{ name, packages, first, want string }{
		{"one", "# why\nm/a\nm/b # too\n", unsteady, "m/b TestParent\n"},
		{"none", "m/b", run, ""},
		{"not named", "m/a", unsteady, ""},
		{"one is not named", "m/b", unsteady + `{"Action":"fail","Package":"m/x","Test":"TestX"}`, ""},
		{"too many", "m/b", many, ""},
		{"a package", "m/b\nm/c\nm/d", broken, ""},
		{"left out", "m/b TestOther TestParent # an attack", unsteady, ""},
		{"another is left out", "m/b TestOther", unsteady, "m/b TestParent\n"},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"packages": tc.packages, "first": tc.first} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.TrimLeft(text, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		if err := listAgain(&out, filepath.Join(dir, "packages"), []string{filepath.Join(dir, "first")}); err != nil || out.String() != tc.want {
			t.Errorf("%s: got %q, %v, want %q", tc.name, out.String(), err, tc.want)
		}
	}
}

func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, events := file("good", "root 0\n"), file("events", `{"Action":"start"}`)
	for _, tc := range []struct{ name, skips, cover, run, want string }{
		{"skips without a number", file("s1", "# why\nroot\n"), "", "root=" + events, "s1:2: expected"},
		{"negative skips", file("s2", "root -1\n"), "", "root=" + events, "s2:1: expected"},
		{"no skips file", filepath.Join(dir, "none"), "", "root=" + events, "no such file"},
		{"no events", good, "", "root=" + filepath.Join(dir, "none"), "no such file"},
		{"not events", good, "", "root=" + file("e2", "FAIL\n"), "invalid character"},
		{"not a profile", good, file("c1", "a b c\n"), "root=" + events, "not a coverage profile"},
	} {
		ok, err := judge(&strings.Builder{}, tc.skips, tc.cover, []string{tc.run})
		if ok || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, %v, want an error with %q", tc.name, ok, err, tc.want)
		}
	}
}
