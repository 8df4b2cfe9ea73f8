package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/policy/wire"
)

// policyStamp tells one state of the folder from another, and whether there is a
// policy in it. A folder that cannot be read, or is not kept by root, is an error.
func policyStamp(at string) (stamp string, there bool, err error) {
	fd, err := unix.Open(at, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return "", false, nil
	}
	if err != nil {
		return "", true, fmt.Errorf("managed policy: %s: %w", at, err)
	}
	dir := os.NewFile(uintptr(fd), at)
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", true, fmt.Errorf("managed policy: %s: %w", at, err)
	}
	if st.Uid != 0 || st.Mode&0o022 != 0 {
		return "", true, fmt.Errorf("managed policy: %s: it belongs to user %d with mode %04o; it has to belong to root, and nobody else may write it", at, st.Uid, st.Mode&0o7777)
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return "", true, fmt.Errorf("managed policy: %s: %w", at, err)
	}
	slices.Sort(names)
	var b strings.Builder
	stampTo(&b, st)
	for _, name := range names {
		if !strings.HasSuffix(name, wire.Suffix) {
			continue
		}
		there = true
		if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err == nil { // else it is gone again
			stampTo(&b, st)
		}
	}
	return b.String(), there, nil
}

func stampTo(b *strings.Builder, st unix.Stat_t) {
	fmt.Fprintf(b, "%d:%d %d %d.%d %d.%d %o %d\n", st.Dev, st.Ino, st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec, st.Mode, st.Uid)
}

// changed reports whether the policies were changed since it was asked last. An
// error says that they cannot be used as they are.
func (m *managed) changed() (bool, error) {
	stamp, there, err := policyStamp(m.dir)
	m.mu.Lock()
	same := stamp == m.stamp && err == nil
	if !same {
		m.stamp = stamp
		clear(m.answers)
	}
	m.mu.Unlock()
	m.rules.Store(there || err != nil)
	if err == nil && !same && there {
		_, err = m.ask(nil)
	}
	if err != nil { // they are looked at again
		m.mu.Lock()
		m.stamp = "cannot be used"
		m.mu.Unlock()
	}
	return !same, err
}
