package seccomp

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// An action is what the filter returns.
type action uint32

const (
	allow action = unix.SECCOMP_RET_ALLOW
	hold  action = unix.SECCOMP_RET_USER_NOTIF
	kill  action = unix.SECCOMP_RET_KILL_PROCESS
)

func refuse(e unix.Errno) action {
	return action(unix.SECCOMP_RET_ERRNO | uint32(e)&unix.SECCOMP_RET_DATA)
}

func (a action) String() string {
	switch {
	case a == allow:
		return "allow"
	case a == hold:
		return "hold"
	case a == kill:
		return "kill"
	case a&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_ERRNO:
		return unix.ErrnoName(unix.Errno(a & unix.SECCOMP_RET_DATA))
	}
	return fmt.Sprintf("%#x", uint32(a))
}

// A rule acts when all its tests hold. Of the rules of one call the first that
// acts decides.
type rule struct {
	call  string
	act   action
	why   string
	when  string // the tests in words; empty for always
	tests []test
}

// A test looks at half of one argument, normally the low one: the kernel
// declares the arguments tested here as int, unsigned int or umode_t, or looks
// at their low half only, and refuses or ignores what is above.
type test struct {
	arg    int
	high   bool // the upper half
	mask   uint32
	kind   kind
	values []uint32 // for in and notIn
}

type kind uint8

const (
	anyBit kind = iota // a bit of the mask is set
	noBit              // no bit of the mask is set
	in                 // the masked value is one of values
	notIn              // it is none of them
)

const whole = ^uint32(0)

func has(arg int, mask uint32) test     { return test{arg: arg, mask: mask, kind: anyBit} }
func lacks(arg int, mask uint32) test   { return test{arg: arg, mask: mask, kind: noBit} }
func is(arg int, values ...uint32) test { return test{arg: arg, mask: whole, kind: in, values: values} }
func isNot(arg int, v ...uint32) test   { return test{arg: arg, mask: whole, kind: notIn, values: v} }
func (t test) under(mask uint32) test   { t.mask = mask; return t }
func (t test) upper() test              { t.high = true; return t }
func (t test) holds(args [6]uint64) bool {
	word := uint32(args[t.arg])
	if t.high {
		word = uint32(args[t.arg] >> 32)
	}
	switch word &= t.mask; t.kind {
	case anyBit:
		return word != 0
	case noBit:
		return word == 0
	case in:
		return slices.Contains(t.values, word)
	default:
		return !slices.Contains(t.values, word)
	}
}

func (r rule) holds(args [6]uint64) bool {
	return !slices.ContainsFunc(r.tests, func(t test) bool { return !t.holds(args) })
}
