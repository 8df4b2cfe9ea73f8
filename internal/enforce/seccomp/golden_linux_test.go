package seccomp_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the reviewed answer for every call number from 0 to 1023,
// over all arguments that a rule tells apart.
func TestGolden(t *testing.T) {
	all := combinations()
	for _, arch := range architectures {
		var text strings.Builder
		for _, c := range []struct {
			title   string
			options seccomp.Options
		}{{"no options", seccomp.Options{}}, {"all options but AllowPtrace", all[len(all)-1-1<<5]}} {
			fmt.Fprintf(&text, "# %s, %s\n", arch, c.title)
			for _, line := range answers(t, seccomp.TableFor(arch, c.options)) {
				fmt.Fprintln(&text, line)
			}
			fmt.Fprintln(&text)
		}
		path := filepath.Join("testdata", arch+".golden")
		if *update {
			if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := text.String(); got != string(want) {
			t.Errorf("%s differs; if each change is meant, run go test -update and read the difference", path)
		}
	}
}

// answers gives one line for each run of numbers with the same answer, and one
// for each call that a rule names.
func answers(t *testing.T, table seccomp.Table) (lines []string) {
	program, err := table.Assemble()
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, program)
	first, before := 0, ""
	flush := func(end int) {
		switch {
		case before == "":
		case first == end:
			lines = append(lines, fmt.Sprintf("%d %s", first, before))
		default:
			lines = append(lines, fmt.Sprintf("%d-%d %s", first, end, before))
		}
	}
	for nr := range 1024 {
		var seen []string
		for _, args := range table.Witnesses(uint32(nr)) {
			if a := seccomp.ActionName(m.run(t, table.Audit(), uint32(nr), args)); !slices.Contains(seen, a) {
				seen = append(seen, a)
			}
		}
		slices.Sort(seen)
		answer := strings.TrimSpace(table.Name(uint32(nr)) + " " + strings.Join(seen, "|"))
		if answer != before {
			flush(nr - 1)
			first, before = nr, answer
		}
	}
	flush(1023)
	return lines
}

// TestNumbers compares the table of numbers with golang.org/x/sys, which is
// generated from the kernel's headers, for architectures that this test does
// not run on too.
func TestNumbers(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Skip("requires: the go command and the sources of golang.org/x/sys: ", err)
	}
	for i, arch := range architectures {
		known := headerNumbers(t, filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+arch+".go"))
		for call, numbers := range seccomp.Numbers() {
			want, has := known[call]
			if !has {
				want = -1
			}
			if numbers[i] != want {
				t.Errorf("%s %s: %d, want %d", arch, call, numbers[i], want)
			}
		}
		reviewed := seccomp.TableFor(arch, seccomp.Options{})
		for call, nr := range known {
			decided := reviewed.Decide(reviewed.Audit(), uint32(nr), [6]uint64{}) != unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)
			// arch_specific_syscall is where an architecture's own calls would begin; arm64 has none.
			named := call == "clone3" || call == "openat2" || call == "arch_specific_syscall"
			if nr <= 469 && !decided && !named {
				t.Errorf("%s %s: %d is in a gap of the reviewed numbers", arch, call, nr)
			}
		}
	}
}

func headerNumbers(t *testing.T, path string) map[string]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skip("requires: the sources of golang.org/x/sys: ", err)
	}
	defer f.Close()
	numbers := map[string]int{}
	line := regexp.MustCompile(`^\tSYS_(\w+)\s+= (\d+)$`)
	for s := bufio.NewScanner(f); s.Scan(); {
		if m := line.FindStringSubmatch(s.Text()); m != nil {
			numbers[strings.ToLower(m[1])], _ = strconv.Atoi(m[2])
		}
	}
	if len(numbers) < 300 {
		t.Fatalf("%s has only %d numbers", path, len(numbers))
	}
	return numbers
}

// TestDescribe checks that each line a person reads has what it needs.
func TestDescribe(t *testing.T) {
	for _, arch := range architectures {
		for _, o := range combinations() {
			for _, row := range seccomp.TableFor(arch, o).Describe() {
				if row.Call == "" || row.Action == "" || row.Why == "" || strings.HasPrefix(row.Action, "0x") {
					t.Fatalf("%s %+v: %+v", arch, o, row)
				}
			}
		}
	}
}
