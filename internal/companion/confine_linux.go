package companion

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// Files are what a companion goes on to use: paths, with what lies beneath them.
// One that is not there is left out.
type Files struct {
	Read  []string
	Write []string // and read, make, replace and remove
	Make  []string // that, and make folders and links
}

// Confine takes from every thread of this process what it does not need.
//
// Security: it is undumpable, so that no other process of this user reads or
// changes its memory, and no core of it is written; it cannot gain rights; it
// opens no file but these. What is open already stays.
func Confine(files Files) error {
	for _, c := range []struct {
		what string
		args [3]uintptr
	}{
		{"be undumpable", [3]uintptr{unix.PR_SET_DUMPABLE, 0}},
		{"set no_new_privs", [3]uintptr{unix.PR_SET_NO_NEW_PRIVS, 1}},
	} {
		if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_PRCTL, c.args[0], c.args[1], c.args[2]); errno != 0 {
			return fmt.Errorf("%s: %w", c.what, errno)
		}
	}
	abi, err := landlock.ABI()
	if err != nil {
		return err
	}
	ruleset, err := landlock.Ruleset(abi)
	if err != nil {
		return err
	}
	read := uint64(unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR)
	write := read | landlock.AllFS(abi)&(unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_TRUNCATE|
		unix.LANDLOCK_ACCESS_FS_MAKE_REG|unix.LANDLOCK_ACCESS_FS_REMOVE_FILE)
	mk := write | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	for _, w := range []struct {
		paths  []string
		rights uint64
	}{{files.Read, read}, {files.Write, write}, {files.Make, mk}} {
		for _, p := range w.paths {
			if err := allow(ruleset, p, w.rights, landlock.FileRights(abi)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("use %s: %w", p, err)
			}
		}
	}
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return fmt.Errorf("enter a Landlock domain: %w", errno)
	}
	if err := unix.Close(ruleset); err != nil {
		return err
	}
	if f, err := os.Open("/"); err == nil {
		_ = f.Close() // nothing was written
		return errors.New("the Landlock domain does not hold")
	}
	return nil
}

// allow adds a rule; of a file the rights that files can have.
func allow(ruleset int, path string, rights, ofFiles uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd) //nolint:errcheck // it only stands for a file
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= ofFiles
	}
	return landlock.Allow(ruleset, fd, rights)
}
