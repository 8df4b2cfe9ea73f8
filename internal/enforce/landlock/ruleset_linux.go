package landlock

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// RulePathBeneath is the kind of rule that BeneathAttr describes, the second
// argument of landlock_add_rule.
const RulePathBeneath = unix.LANDLOCK_RULE_PATH_BENEATH

// ErrOldABI says that the kernel's Landlock lacks what a sandbox needs.
var ErrOldABI = errors.New("landlock ABI too old")

// ABI returns the kernel's Landlock ABI. The error wraps ENOSYS where Landlock
// is not built in, EOPNOTSUPP where it is switched off at boot.
func ABI() (int, error) {
	abi, err := createRuleset(nil, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if err != nil {
		return 0, fmt.Errorf("ask for landlock ABI: %w", err)
	}
	return abi, nil
}

// Ruleset makes a ruleset that handles all file rights and scopes of abi and
// has no rule: a process restricted by it opens nothing. The descriptor is
// close-on-exec. The error is ErrOldABI below Required.
//
// Security: before a process restricts itself with it, it needs no_new_privs,
// and exactly one rule, on the root of its view and on nothing above that.
// Afterwards nothing can widen the domain. What is open already stays usable
// for reading and writing; only what is opened anew is checked.
func Ruleset(abi int) (fd int, err error) {
	if abi < Required {
		return -1, fmt.Errorf("make ruleset: %w: %d, not %d", ErrOldABI, abi, Required)
	}
	fd, err = createRuleset(&rulesetAttr{handledFS: AllFS(abi), scoped: Scopes(abi)}, 0)
	if err != nil {
		return -1, fmt.Errorf("make ruleset of ABI %d: %w", abi, err)
	}
	return fd, nil
}

// BeneathAttr returns struct landlock_path_beneath_attr, which is packed: the
// third argument of landlock_add_rule for the rule that gives access to the
// file or directory fd and to all beneath it. fd may be an O_PATH descriptor.
// In a process whose descriptors are not known yet, the last four bytes are
// the place of the descriptor.
func BeneathAttr(access uint64, fd int32) [12]byte {
	var b [12]byte
	binary.NativeEndian.PutUint64(b[:8], access)
	binary.NativeEndian.PutUint32(b[8:], uint32(fd))
	return b
}

// Allow adds the rule of BeneathAttr to a ruleset, for where the descriptor is
// at hand. Of rights that mean nothing for a file only the others are given.
func Allow(ruleset, fd int, access uint64) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("stat what is allowed: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		access &= ofFiles
	}
	attr := BeneathAttr(access, int32(fd))
	if err := addRule(ruleset, &attr); err != nil {
		return fmt.Errorf("add rule: %w", err)
	}
	return nil
}
