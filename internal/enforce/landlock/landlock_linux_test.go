package landlock_test

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// needABI returns the kernel's ABI, or skips where no sandbox could be built.
func needABI(t *testing.T) int {
	t.Helper()
	abi, err := landlock.ABI()
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip("requires: Landlock: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if abi < landlock.Required {
		t.Skipf("requires: Landlock version %d, %d is here", landlock.Required, abi)
	}
	return abi
}

// TestRights compares with what the kernel's documentation says of each ABI.
func TestRights(t *testing.T) {
	for _, c := range []struct {
		abi    int
		rights int
		scopes int
		flags  int
	}{{0, 0, 0, 0}, {1, 13, 0, 0}, {2, 14, 0, 0}, {3, 15, 0, 0}, {4, 15, 0, 0}, {5, 16, 0, 0}, {6, 16, 2, 0}, {7, 16, 2, 2}, {8, 16, 2, 2}, {9, 17, 2, 2}, {99, 17, 2, 2}} {
		all := landlock.AllFS(c.abi)
		if bits.OnesCount64(all) != c.rights || all != 1<<c.rights-1 {
			t.Errorf("ABI %d: rights %#x, want the lowest %d", c.abi, all, c.rights)
		}
		if got := bits.OnesCount64(landlock.Scopes(c.abi)); got != c.scopes {
			t.Errorf("ABI %d: %d scopes, want %d", c.abi, got, c.scopes)
		}
		if got := bits.OnesCount32(landlock.RestrictFlags(c.abi)); got != c.flags {
			t.Errorf("ABI %d: %d flags, want %d", c.abi, got, c.flags)
		}
		if landlock.FileRights(c.abi)&^all != 0 || landlock.FileRights(c.abi)&unix.LANDLOCK_ACCESS_FS_READ_DIR != 0 {
			t.Errorf("ABI %d: file rights %#x", c.abi, landlock.FileRights(c.abi))
		}
	}
}

// TestEachRight checks against the running kernel that the table leaves
// nothing out: one bit more than it says is refused.
func TestEachRight(t *testing.T) {
	abi := needABI(t)
	steps := landlock.Steps()
	if newest := steps[len(steps)-1].ABI; abi > newest {
		t.Logf("the kernel's ABI %d is newer than the table's %d", abi, newest)
		return
	}
	fs, scopes := landlock.AllFS(abi), landlock.Scopes(abi)
	try := func(fs, scopes uint64) error {
		fd, err := landlock.Try(fs, 0, scopes)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
	if err := try(fs, scopes); err != nil {
		t.Errorf("all rights: %v", err)
	}
	if err := try(fs+1, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("one right more than the table has: %v, want EINVAL", err)
	}
	// E2BIG: of a kernel whose structure has no scopes.
	if err := try(fs, scopes+1); !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.E2BIG) {
		t.Errorf("one scope more than the table has: %v, want EINVAL", err)
	}
}

func TestBeneathAttr(t *testing.T) {
	b := landlock.BeneathAttr(0x1122334455667788, -100)
	if got := binary.NativeEndian.Uint64(b[:8]); got != 0x1122334455667788 {
		t.Errorf("access %#x", got)
	}
	if got := int32(binary.NativeEndian.Uint32(b[8:])); got != -100 {
		t.Errorf("descriptor %d", got)
	}
}

func TestOldABI(t *testing.T) {
	for abi := range landlock.Required {
		if fd, err := landlock.Ruleset(abi); !errors.Is(err, landlock.ErrOldABI) || fd != -1 {
			t.Errorf("ABI %d: got %d, %v", abi, fd, err)
		}
	}
}

func TestRulesetIsCloseOnExec(t *testing.T) {
	fd, err := landlock.Ruleset(needABI(t))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
}
