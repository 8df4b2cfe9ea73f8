package seccomp

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// A Row is one line of the filter in words.
type Row struct {
	Call   string `json:"call"`
	When   string `json:"when,omitempty"` // empty: always
	Action string `json:"action"`         // an errno's name, "hold" or "kill"
	Why    string `json:"why"`
}

// Describe returns what the filter for o does on this architecture, in the
// order in which it decides. What is not listed is allowed.
func Describe(o Options) ([]Row, error) {
	a, err := native()
	if err != nil {
		return nil, err
	}
	return a.describe(rules(o)), nil
}

func (a abi) describe(rs []rule) []Row {
	last := a.reviewed[len(a.reviewed)-1].last
	rows := []Row{{"(any)", "another architecture than " + a.goarch, kill.String(), "a filter of numbers means nothing under other numbers"}}
	if a.x32 {
		rows = append(rows, Row{"(any)", "an x32 number", unix.ErrnoName(unix.ENOSYS), "another name of the same calls"})
	}
	rows = append(rows, Row{"(any)", fmt.Sprintf("a number above %d or in a gap", last), unix.ErrnoName(unix.ENOSYS),
		"calls of later kernels are decided on purpose, not by default"})
	for _, r := range rs {
		row := Row{r.call, r.when, r.act.String(), r.why}
		if _, has, _ := a.lookup(r.call); has && row != rows[len(rows)-1] {
			rows = append(rows, row)
		}
	}
	return rows
}

// Name is the name of a call of this machine's architecture that a rule names;
// its number where none does.
func Name(call int) string {
	a, err := native()
	if err != nil {
		return strconv.Itoa(call)
	}
	for _, n := range numbers {
		if a.number(n) == call {
			return n.call
		}
	}
	return strconv.Itoa(call)
}
