package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP38OtherTerminals(t *testing.T) {
	attack{
		ID: "P38", Title: "write to another terminal of the user",
		Reference: "write(1) and mesg(1); escape sequences that make a terminal answer",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { master.Close() })
			if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
				t.Fatal(err)
			}
			n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
			if err != nil {
				t.Fatal(err)
			}
			f.Values["tty"] = "/dev/pts/" + itoa(n)
		},
		Tries: []try{
			{Name: "by its name", Do: func(f *field) error { return closing(unix.Open(f.Values["tty"], unix.O_RDWR|unix.O_NOCTTY, 0)) }, Want: refused(unix.ENOENT)},
			{Name: "any", Do: func(f *field) error {
				entries, err := os.ReadDir("/dev/pts")
				if err != nil {
					return err
				}
				for _, e := range entries {
					if e.Name() != "ptmx" {
						return nil
					}
				}
				return unix.ENOENT
			}, Want: refused(unix.ENOENT)},
			{Name: "the controlling terminal of nobody", NoControl: "the test may have one", Do: func(*field) error {
				_, _ = unix.Setsid()
				return closing(unix.Open("/dev/tty", unix.O_RDWR, 0))
			}, Want: refused(unix.ENXIO)},
		},
	}.run(t)
}
