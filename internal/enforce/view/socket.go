package view

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// Sockets are the unix sockets of the host that are bound to a path now.
//
// Security: it is the kernel's list for this network namespace, so nothing is
// searched for. A socket that is bound later, or in another namespace, is not
// in it, nor one that was bound by a relative path, or by a descriptor of whoever
// bound it (/proc/self/fd): from there such a path leads elsewhere.
func Sockets() (found []enforce.Object, err error) {
	text, err := read("/proc/net/unix")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil // a kernel without unix sockets, or a host that hides them
	}
	if err != nil {
		return nil, err
	}
	known := map[string]bool{} // paths that were looked at: whether there is a socket
	for _, spellings := range bound(string(text)) {
		for _, p := range spellings {
			is, seen := known[p]
			if !seen {
				var o enforce.Object
				if o, is = socketAt(p); is {
					found = append(found, o)
				}
				known[p] = is
			}
			if is {
				break
			}
		}
	}
	return found, nil
}

// socketAt is the socket at p, if there is one within reach of this user.
func socketAt(p string) (enforce.Object, bool) {
	if !path.IsAbs(p) || strings.HasPrefix(p, "/proc/self/") { //nolint:forbidigo // the separator is part of the prefix
		return enforce.Object{}, false
	}
	o, err := Resolve(p)
	if err != nil {
		return o, false
	}
	var st unix.Stat_t
	return o, unix.Lstat(o.Path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// longest is the longest path of a socket (unix(7)).
const longest = 108

// bound reads the text of /proc/net/unix: for each socket the paths that may be
// meant, the likely one first. The kernel prints a path as it is, so the end of
// a line may be a part of it: what has no head of its own belongs to the line
// before, and what has one may.
func bound(text string) (all [][]string) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		p, ok := bindsTo(line)
		if !ok || p == "" {
			continue
		}
		var spellings []string
		for _, next := range lines[i+1:] {
			if _, ok := bindsTo(next); ok {
				spellings = append(spellings, p)
			}
			if p += "\n" + next; len(p) > longest {
				break
			}
		}
		if len(p) <= longest { // the text ended
			spellings = append(spellings, p)
		}
		all = append(all, spellings)
	}
	return all
}

// bindsTo is the path in a line with a head: Num RefCount Protocol Flags Type St
// Inode Path (unix_seq_show in net/unix/af_unix.c). The inode is padded.
func bindsTo(line string) (p string, ok bool) {
	f := strings.SplitN(line, " ", 7)
	if len(f) < 7 || !strings.HasSuffix(f[0], ":") {
		return "", false
	}
	for i, digits := range []int{8, 8, 8, 4, 2} {
		if len(f[i+1]) != digits || strings.Trim(f[i+1], "0123456789ABCDEF") != "" {
			return "", false
		}
	}
	rest := strings.TrimLeft(f[6], " ")
	p = strings.TrimLeft(rest, "0123456789")
	return strings.TrimPrefix(p, " "), p != rest
}
