package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP27Terminal(t *testing.T) {
	// The terminal is one of its own, so that nothing is typed into a real one.
	terminal := func(use func(fd int) error) func(f *field) error {
		return func(*field) error {
			_, _ = unix.Setsid() // it may lead its group already
			master, err := unix.Open("/dev/ptmx", unix.O_RDWR, 0)
			if err != nil {
				return err
			}
			if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
				return err
			}
			n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
			if err != nil {
				return err
			}
			fd, err := unix.Open("/dev/pts/"+itoa(n), unix.O_RDWR, 0)
			if err != nil {
				return err
			}
			_ = unix.IoctlSetInt(fd, unix.TIOCSCTTY, 0) // opening it may have done so
			return use(fd)
		}
	}
	ioctl := func(request uintptr) func(f *field) error {
		return terminal(func(fd int) error {
			arg := int64('x') // room for a window size
			if uint32(request) == unix.TIOCSETD {
				arg = 0
			}
			_, err := raw(unix.SYS_IOCTL, uintptr(fd), request, address(&arg))
			return reached(err, unix.ENOTTY)
		})
	}
	no := refused(unix.EPERM)
	attack{
		ID: "P27", Title: "type into the user's terminal",
		Reference: "CVE-2017-5226 (bubblewrap), CVE-2019-10063 (flatpak, high bits of the request)",
		Tiers:     process,
		Tries: []try{
			{Name: "TIOCSTI", Do: ioctl(unix.TIOCSTI), Want: no},
			{Name: "TIOCSTI with high bits", Do: ioctl(unix.TIOCSTI | 1<<32), Want: no},
			{Name: "TIOCSTI with all high bits", Do: ioctl(unix.TIOCSTI | 0xffffffff<<32), Want: no},
			{Name: "TIOCLINUX", Do: ioctl(unix.TIOCLINUX), Want: no},
			{Name: "TIOCSETD", Do: ioctl(unix.TIOCSETD), Want: no},
			{Name: "TIOCSETD with high bits", Do: ioctl(unix.TIOCSETD | 1<<63), Want: no},
			{Name: "window size", Do: ioctl(unix.TIOCGWINSZ), Want: allowed("terminals are used")},
		},
	}.run(t)
}
