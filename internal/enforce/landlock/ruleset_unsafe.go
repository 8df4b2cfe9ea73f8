//go:build linux

package landlock

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// rulesetAttr is struct landlock_ruleset_attr up to ABI 6; later fields are
// not used, and a kernel takes their absence as zero.
type rulesetAttr struct {
	handledFS  uint64
	handledNet uint64 // always 0
	scoped     uint64
}

// createRuleset returns a descriptor, or the ABI for the version flag with a
// nil attr.
func createRuleset(attr *rulesetAttr, flags uintptr) (int, error) {
	var size uintptr
	if attr != nil {
		size = unsafe.Sizeof(*attr)
	}
	r, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(attr)), size, flags)
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

func addRule(ruleset int, attr *[12]byte) error {
	_, _, e := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), RulePathBeneath, uintptr(unsafe.Pointer(attr)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}
