package escape_test

import (
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// raceTime is how long each race is run: inside for a while, outside until it is won.
func (f *field) raceTime() time.Duration {
	if f.Inside {
		return time.Second
	}
	return longest / 2
}

func TestP30RewrittenPath(t *testing.T) {
	attack{
		ID: "P30", Title: "change a path or an address after the supervisor has read it",
		Reference: "seccomp_unotify(2), on SECCOMP_USER_NOTIF_FLAG_CONTINUE; Watson 2007, system call wrappers",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			l, err := net.Listen("unix", f.Outside+"/sock")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		},
		Flags: func(*field) []string { return []string{"--watch-files=on"} },
		Tries: []try{
			{Name: "open", Want: refused(), Slow: "it is a race", Do: func(f *field) error {
				// Both paths have one length.
				hidden := []byte(f.Dir + "/outside/canary\x00")
				granted := []byte(f.Dir + "/work/././file/\x00")
				granted[len(granted)-2] = 0
				path := make([]byte, len(hidden))
				copy(path, granted)
				alive = append(alive, path)
				end := time.Now().Add(f.raceTime())
				go func() {
					for i := 0; time.Now().Before(end); i++ {
						if i%2 == 0 {
							copy(path, hidden)
						} else {
							copy(path, granted)
						}
					}
				}()
				at := address(&path[0])
				for time.Now().Before(end) {
					fd, _, e := unix.Syscall(unix.SYS_OPEN, at, unix.O_RDONLY, 0)
					if e != 0 {
						continue
					}
					buf := make([]byte, 64)
					n, _ := unix.Read(int(fd), buf)
					_ = unix.Close(int(fd))
					if s := string(buf[:n]); s != "work\n" {
						f.note.WriteString(s)
						return nil
					}
				}
				return unix.ENOENT
			}},
			{Name: "connect", Want: refused(), Slow: "it is a race", Do: func(f *field) error {
				unixAddr := append([]byte{unix.AF_UNIX, 0}, append([]byte(f.Outside+"/sock"), 0)...)
				inet := make([]byte, len(unixAddr))
				copy(inet, []byte{unix.AF_INET, 0, 0, 1, 127, 0, 0, 1})
				addr := make([]byte, len(unixAddr))
				alive = append(alive, addr)
				var stop atomic.Bool
				go func() {
					for i := 0; !stop.Load(); i++ {
						if i%2 == 0 {
							copy(addr, unixAddr)
						} else {
							copy(addr, inet)
						}
					}
				}()
				defer stop.Store(true)
				at := address(&addr[0])
				for end := time.Now().Add(f.raceTime()); time.Now().Before(end); {
					fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
					if err != nil {
						return err
					}
					_, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), at, uintptr(len(addr)))
					_ = unix.Close(fd)
					if e == 0 {
						return nil
					}
				}
				return unix.ECONNREFUSED
			}},
			{Name: "link swapped under a path", Want: refused(), Slow: "it is a race", Do: func(f *field) error {
				_ = os.Remove(f.work("l"))
				end := time.Now().Add(f.raceTime())
				go func() {
					for i := 0; time.Now().Before(end); i++ {
						_ = os.Symlink([]string{"file", f.Canary}[i%2], f.work("l2"))
						_ = os.Rename(f.work("l2"), f.work("l"))
					}
				}()
				for time.Now().Before(end) {
					if text, err := os.ReadFile(f.work("l")); err == nil && string(text) != "work\n" {
						f.note.Write(text)
						return nil
					}
				}
				return unix.ENOENT
			}},
		},
	}.run(t)
}

// TestP30SocketAskedAbout: of two sockets of the host one is granted, and the
// address changes from the one to the other while the call is held.
func TestP30SocketAskedAbout(t *testing.T) {
	a := attack{
		ID: "P30", Title: "change the address of a socket after somebody was asked about it",
		Reference: "as above",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.listen(t, "unix", f.Outside+"/shut")
			l, err := net.Listen("unix", f.Outside+"/open")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		},
		Flags: func(f *field) []string {
			return []string{"--ask", "queue", "--ask-by", "notification", "--ask-timeout", "0", "--home", "ephemeral", "--allow", "fs.read:" + f.Outside + "/open"}
		},
		Harm: reachedServer,
	}
	a.Tries = []try{{Name: "connect", Want: refused(), Slow: "it is a race", Do: func(f *field) error {
		addresses := [2][]byte{}
		for i, name := range []string{"/shut", "/open"} {
			addresses[i] = append([]byte{unix.AF_UNIX, 0}, append([]byte(f.Outside+name), 0)...)
		}
		addr := append([]byte{}, addresses[1]...)
		alive = append(alive, addr)
		var stop atomic.Bool
		go func() {
			for i := 0; !stop.Load(); i++ {
				copy(addr, addresses[i%2])
			}
		}()
		defer stop.Store(true)
		at := address(&addr[0])
		for end := time.Now().Add(f.raceTime()); time.Now().Before(end); {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				return err
			}
			_, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), at, uintptr(len(addr)))
			peer, failed := unix.Getpeername(fd)
			_ = unix.Close(fd)
			if to, ok := peer.(*unix.SockaddrUnix); e == 0 && failed == nil && ok && to.Name == f.Outside+"/shut" {
				return nil
			}
		}
		return unix.EACCES
	}}}
	a.run(t)
}
