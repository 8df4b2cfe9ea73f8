package trap

import (
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// A proxy walks for programs that have another kernel. It opens each name of a
// path by itself, the directories on the way and files that somebody only looks at
// included, with O_NOFOLLOW; what is then read or listed it opens once more by its
// descriptor, without a walk. So here
//
//   - a directory that it only passes is opened without a question (Pass), and says
//     nothing of what is in it;
//   - a look at a directory, or where Config.Touch says so, is answered by what a lookup
//     tells: a file is looked at where it could not be opened;
//   - a directory that is opened once more cannot become what was mounted on it
//     meanwhile, so that the names in the object that was asked about are told here.

// maxListings bounds the listings that are open at one time, maxListed the names
// of one.
const (
	maxListings = 64
	maxListed   = 1 << 17
)

// proxied is the answer to a proxy's touch of the object fd, after what
// Config.Touch said of it.
//
// Security: the names that are told are those of the object that was asked about,
// and only after the answer.
func (t *Trap) proxied(k Kind, n *node, fd int, e unix.Errno) answer {
	switch {
	case k == Pass && e == 0:
		return answer{body: fuse.OpenReply(0, 0)}
	case k == Look && e == 0:
		return answer{body: fuse.AttrReply(t.plain(n), 0)}
	case k != List || e != unix.ESTALE:
		return answer{errno: settle(e)}
	}
	names, err := namesIn(fd)
	if err != nil {
		return answer{errno: absence(err)}
	}
	handle, ok := t.open.add(names)
	if !ok {
		return answer{errno: unix.EMFILE}
	}
	return answer{body: fuse.OpenReply(handle, 0), handle: handle}
}

// A listed is one name of a directory of the host.
type listed struct {
	name string
	form form
}

// namesIn reads the names in a directory, with the two that each has.
func namesIn(dir int) ([]listed, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "directory")
	defer f.Close()
	found, err := f.ReadDir(maxListed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	names := slices.Grow([]listed{{".", directory}, {"..", directory}}, len(found))
	for _, e := range found {
		l := listed{e.Name(), file}
		switch {
		case e.IsDir():
			l.form = directory
		case e.Type()&os.ModeSymlink != 0:
			l.form = link
		}
		names = append(names, l)
	}
	return names, nil
}

// listings are the directories of the host that are open for a proxy. An id is
// never used twice, and 0 by none.
type listings struct {
	mu    sync.Mutex
	last  uint64              // guarded by mu
	names map[uint64][]listed // guarded by mu
}

// add says false where too many are open.
func (l *listings) add(names []listed) (handle uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.names) >= maxListings {
		return 0, false
	}
	l.last++
	l.names[l.last] = names
	return l.last, true
}

func (l *listings) drop(handle uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.names, handle)
}

// page is what of a listing has room, from a cookie on, which is how many names
// were told before.
func (l *listings) page(handle, cookie uint64, room int) (b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := l.names[handle]
	for fits := true; cookie < uint64(len(names)) && fits; cookie++ {
		b, fits = fuse.AppendDirent(b, room, names[cookie].name, cookie+1, names[cookie].form.mode())
	}
	return b
}
