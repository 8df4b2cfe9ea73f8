package seccomp

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A Table is what the tests of the assembler see: rules for one abi, decided
// by the assembled program or slowly, rule by rule.
type Table struct {
	abi      abi
	rules    []rule
	byNumber map[uint32][]rule // in the order of rules
}

func TableFor(goarch string, o Options) Table {
	i := slices.IndexFunc(abis, func(a abi) bool { return a.goarch == goarch })
	t := Table{abis[i], rules(o), map[uint32][]rule{}}
	for _, r := range t.rules {
		if nr, has, _ := t.abi.lookup(r.call); has {
			t.byNumber[nr] = append(t.byNumber[nr], r)
		}
	}
	return t
}

func (t Table) Assemble() ([]unix.SockFilter, error) { return t.abi.assemble(t.rules) }
func (t Table) Describe() []Row                      { return t.abi.describe(t.rules) }
func (t Table) Audit() uint32                        { return t.abi.audit }

// Decide is the second opinion: the heads, then each rule in order.
func (t Table) Decide(audit, nr uint32, args [6]uint64) uint32 {
	switch {
	case audit != t.abi.audit:
		return uint32(kill)
	case t.abi.x32 && nr&x32Bit != 0:
		return uint32(refuse(unix.ENOSYS))
	case !slices.ContainsFunc(t.abi.reviewed, func(s span) bool { return s.first <= nr && nr <= s.last }):
		return uint32(refuse(unix.ENOSYS))
	}
	for _, r := range t.byNumber[nr] {
		if r.holds(args) {
			return uint32(r.act)
		}
	}
	return uint32(allow)
}

// Name returns the name of a call that a rule names, else "".
func (t Table) Name(nr uint32) string {
	for _, n := range numbers {
		if t.abi.number(n) == int(nr) {
			return n.call
		}
	}
	return ""
}

// Number returns the number of a call, and whether this abi has it.
func (t Table) Number(call string) (uint32, bool) {
	nr, has, _ := t.abi.lookup(call)
	return nr, has
}

// Witnesses returns argument vectors for one call: every combination of the
// values that some test of its rules tells apart, over zeros and over ones.
func (t Table) Witnesses(nr uint32) [][6]uint64 {
	var low, high [6]map[uint32]bool
	for _, r := range t.byNumber[nr] {
		for _, c := range r.tests {
			half := &low[c.arg]
			if c.high {
				half = &high[c.arg]
			}
			if *half == nil {
				*half = map[uint32]bool{}
			}
			for _, v := range c.interesting() {
				(*half)[v] = true
			}
		}
	}
	ones := ^uint64(0)
	out := [][6]uint64{{}, {ones, ones, ones, ones, ones, ones}}
	for arg := range low {
		out = combine(out, low[arg], func(a *[6]uint64, v uint32) { a[arg] = a[arg]&^0xffffffff | uint64(v) })
		out = combine(out, high[arg], func(a *[6]uint64, v uint32) { a[arg] = a[arg]&0xffffffff | uint64(v)<<32 })
	}
	return out
}

func combine(vectors [][6]uint64, values map[uint32]bool, set func(*[6]uint64, uint32)) [][6]uint64 {
	if len(values) == 0 {
		return vectors
	}
	var out [][6]uint64
	for v := range values {
		for _, args := range vectors {
			set(&args, v)
			out = append(out, args)
		}
	}
	return out
}

func (t test) interesting() []uint32 {
	if t.kind == in || t.kind == notIn {
		some := []uint32{0, t.mask}
		for _, v := range t.values {
			some = append(some, v, v+1, v^t.mask, v|1<<31)
		}
		return some
	}
	return []uint32{0, t.mask, t.mask & -t.mask, ^t.mask}
}

func ActionName(a uint32) string { return action(a).String() }

func Numbers() map[string][2]int {
	m := map[string][2]int{}
	for _, n := range numbers {
		m[n.call] = [2]int{n.amd64, n.arm64}
	}
	return m
}

func Sorted() bool {
	return slices.IsSortedFunc(numbers, func(a, b numbering) int { return strings.Compare(a.call, b.call) })
}

func Calls(o Options) (calls []string) {
	for _, r := range rules(o) {
		calls = append(calls, r.call)
	}
	return calls
}

// AssembleWide assembles one rule with a test of many values.
func AssembleWide(values int) error {
	_, err := abis[0].assemble([]rule{{call: "ioctl", act: kill, tests: []test{is(1, make([]uint32, values)...)}}})
	return err
}

// AssembleMany assembles many rules for one call, each short.
func AssembleMany(n int) error {
	var rs []rule
	for range n {
		rs = append(rs, rule{call: "ioctl", act: kill, tests: []test{is(1, 1)}})
	}
	_, err := abis[0].assemble(rs)
	return err
}

// AssembleUnknown assembles a rule for a call without a number.
func AssembleUnknown() error {
	_, err := abis[0].assemble([]rule{{call: "absent", act: kill}})
	return err
}
