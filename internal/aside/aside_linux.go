package aside

import (
	"crypto/rand"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	prefix = ".ambit-new-"
	// letters and length are those of rand.Text.
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	length  = 26
	// old is how long nobody has written to one that was left.
	old = time.Hour
	// most bounds the names that are looked at for those that were left.
	most = 10_000
)

// Name is a name that nobody has used before.
func Name() string { return prefix + rand.Text() }

// Is reports whether a name is of the form of Name's.
func Is(name string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && len(rest) == length && strings.Trim(rest, letters) == ""
}

// Hold has nobody take a file for one that was left, while it is open. Where files have no
// locks, its age says so.
func Hold(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// Left reports whether an open file, whose name is of the form of Name's, was left: it is
// this user's, has no other name, nobody holds it, and nothing was written to it for an hour.
//
// Security: a program that may make names in that folder can make such ones, and whoever
// removes them removes names of that folder, which the program could too. So what is
// removed has no other name, and is no link.
func Left(f *os.File) bool {
	var st unix.Stat_t
	fd := int(f.Fd())
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && int(st.Uid) == os.Geteuid() && st.Nlink == 1 &&
		time.Since(time.Unix(st.Mtim.Unix())) > old && unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil
}

// In are the names of files in a folder that were left there, of its first 10,000. What
// cannot be looked at was not left.
func In(dir int) (names []string) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	d := os.NewFile(uintptr(fd), "folder")
	defer d.Close()
	all, _ := d.Readdirnames(most) // what there is of them
	for _, name := range all {
		if Is(name) && leftAt(fd, name) {
			names = append(names, name)
		}
	}
	return names
}

func leftAt(dir int, name string) bool {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return Left(f)
}
