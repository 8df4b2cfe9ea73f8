package view

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// sockets are the unix sockets of the host that are bound to a path now.
//
// Security: it is the kernel's list for this network namespace, so nothing is
// searched for. A socket that is bound later, or in another namespace, is not
// in it, nor one that was bound by a relative path.
func sockets() (found []enforce.Object, err error) {
	text, err := os.ReadFile("/proc/net/unix")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // a kernel without unix sockets, or a host that hides them
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		// Num RefCount Protocol Flags Type St Inode Path; the path may have spaces.
		f := strings.SplitN(strings.TrimRight(line, "\n"), " ", 8)
		p := strings.TrimLeft(f[len(f)-1], " 0123456789") // the inode is padded
		if !path.IsAbs(p) || seen[p] {
			continue
		}
		seen[p] = true
		o, err := Resolve(p)
		if err != nil {
			continue // removed, or out of this user's reach
		}
		var st unix.Stat_t
		if unix.Lstat(o.Path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			found = append(found, o)
		}
	}
	return found, nil
}
