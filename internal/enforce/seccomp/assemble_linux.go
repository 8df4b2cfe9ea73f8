package seccomp

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets into struct seccomp_data (linux/seccomp.h). Both architectures are
// little-endian: the low half of an argument comes first.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

const (
	load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	jump  = unix.BPF_JMP | unix.BPF_JA
	equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	above = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	least = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K // not below
	bits  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	ret   = unix.BPF_RET | unix.BPF_K
)

// The kernel's limits: BPF_MAXINSNS, and the eight bits of a conditional jump.
const (
	maxProgram = 4096
	maxJump    = 255
)

var errFar = errors.New("conditional jump past 255 instructions")

func ins(code uint16, k uint32, t, f int) unix.SockFilter {
	return unix.SockFilter{Code: code, K: k, Jt: uint8(t), Jf: uint8(f)}
}

// A branch is one call's number and its rules, in order.
type branch struct {
	number uint32
	rules  []*rule
}

// assemble makes the program of a table.
func (a abi) assemble(rs []rule) ([]unix.SockFilter, error) {
	branches, err := a.branches(rs)
	if err != nil {
		return nil, err
	}
	const usual = 512 // instructions
	p, err := search(append(make([]unix.SockFilter, 0, usual), a.head()...), branches)
	if err != nil {
		return nil, err
	}
	if len(p) > maxProgram {
		return nil, fmt.Errorf("filter of %d instructions; the kernel takes %d", len(p), maxProgram)
	}
	return p, nil
}

// head answers what is not a reviewed call of this abi, and leaves the number
// loaded for all others.
func (a abi) head() []unix.SockFilter {
	p := []unix.SockFilter{
		ins(load, offArch, 0, 0),
		ins(equal, a.audit, 1, 0),
		ins(ret, uint32(kill), 0, 0),
		ins(load, offNumber, 0, 0),
	}
	unknown := uint32(refuse(unix.ENOSYS))
	if a.x32 {
		// Also covered by the bound below; said by itself because it is the
		// other name of every call, not a call of a later kernel.
		p = append(p, ins(least, x32Bit, 0, 1), ins(ret, unknown, 0, 0))
	}
	last := a.reviewed[len(a.reviewed)-1].last
	p = append(p, ins(above, last, 0, 1), ins(ret, unknown, 0, 0))
	for i := range a.reviewed[1:] {
		p = append(p,
			ins(above, a.reviewed[i].last, 0, 2),
			ins(least, a.reviewed[i+1].first, 1, 0),
			ins(ret, unknown, 0, 0))
	}
	return p
}

// branches gathers the rules by call, in order of number.
func (a abi) branches(rs []rule) ([]branch, error) {
	bs := make([]branch, 0, len(rs))
	for i := range rs {
		nr, has, known := a.lookup(rs[i].call)
		if !known {
			return nil, fmt.Errorf("internal error: no number for %q", rs[i].call)
		}
		if !has {
			continue
		}
		at, found := slices.BinarySearchFunc(bs, nr, func(b branch, nr uint32) int { return cmp.Compare(b.number, nr) })
		if !found {
			bs = slices.Insert(bs, at, branch{number: nr})
		}
		bs[at].rules = append(bs[at].rules, &rs[i])
	}
	return bs, nil
}

// search appends to p what finds a branch by halves. The kernel runs a new
// filter once for every call number to find those that it always allows, so a
// long chain of comparisons would cost at each start, even where calls never
// pass through it.
func search(p []unix.SockFilter, bs []branch) (_ []unix.SockFilter, err error) {
	const few = 3
	if len(bs) <= few {
		for _, b := range bs {
			test := len(p)
			if p, err = decide(append(p, ins(equal, b.number, 0, 0)), b.rules); err != nil {
				return nil, fmt.Errorf("rules of %q: %w", b.rules[0].call, err)
			}
			length := len(p) - 1 - test
			if length > maxJump {
				return nil, fmt.Errorf("rules of %q: %w", b.rules[0].call, errFar)
			}
			p[test].Jf = uint8(length)
		}
		return append(p, ins(ret, uint32(allow), 0, 0)), nil
	}
	mid := len(bs) / 2
	// A plain jump is 32 bits wide, unlike the others.
	p = append(p, ins(least, bs[mid].number, 0, 1), ins(jump, 0, 0, 0))
	far := len(p) - 1
	if p, err = search(p, bs[:mid]); err != nil {
		return nil, err
	}
	p[far].K = uint32(len(p) - 1 - far)
	return search(p, bs[mid:])
}

// decide appends the rules of one call: the first that acts returns, and so
// does what is left.
func decide(p []unix.SockFilter, rs []*rule) (_ []unix.SockFilter, err error) {
	for _, r := range rs {
		if p, err = r.assemble(p); err != nil {
			return nil, err
		}
		if len(r.tests) == 0 {
			return p, nil
		}
	}
	return append(p, ins(ret, uint32(allow), 0, 0)), nil
}

// miss stands for the jump to the end of the rule until its length is known.
const miss = maxJump

// assemble appends code that returns the rule's action when its tests hold and
// runs off its end when they do not.
func (r *rule) assemble(p []unix.SockFilter) ([]unix.SockFilter, error) {
	start := len(p)
	for _, t := range r.tests {
		p = t.assemble(p)
	}
	p = append(p, ins(ret, uint32(r.act), 0, 0))
	own := p[start:]
	if len(own) >= miss {
		return nil, errFar
	}
	for i := range own {
		end := uint8(len(own) - 1 - i)
		if own[i].Jt == miss {
			own[i].Jt = end
		}
		if own[i].Jf == miss {
			own[i].Jf = end
		}
	}
	return p, nil
}

// assemble appends code that goes on behind its last instruction when the test
// holds, and jumps to the end of the rule when it does not.
func (t test) assemble(p []unix.SockFilter) []unix.SockFilter {
	off := uint32(offArgs + 8*t.arg)
	if t.high {
		off += 4
	}
	p = append(p, ins(load, off, 0, 0))
	switch t.kind {
	case anyBit:
		return append(p, ins(bits, t.mask, 0, miss))
	case noBit:
		return append(p, ins(bits, t.mask, miss, 0))
	case in, notIn: // one instruction for each value, below
	}
	if t.mask != whole {
		p = append(p, ins(and, t.mask, 0, 0))
	}
	for i, v := range t.values {
		switch rest := len(t.values) - 1 - i; {
		case t.kind == notIn:
			p = append(p, ins(equal, v, miss, 0))
		case rest > 0:
			p = append(p, ins(equal, v, rest, 0))
		default:
			p = append(p, ins(equal, v, 0, miss))
		}
	}
	return p
}
