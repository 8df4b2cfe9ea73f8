package escape_test

import (
	"errors"
	"os"
	"os/signal"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestP33SignalsWhileHeld(t *testing.T) {
	attack{
		ID: "P33", Title: "signals every 2 ms while calls are held",
		Reference: "seccomp_unotify(2), on interrupted notifications; ADDFD that answers 0 for a descriptor",
		Tiers:     process,
		Flags:     func(*field) []string { return []string{"--watch-files=on"} },
		Tries: []try{{Name: "open and connect", Want: allowed("nothing but time is lost"), Slow: "a thousand calls", Do: func(f *field) error {
			c := make(chan os.Signal, 1)
			signal.Notify(c, unix.SIGALRM)
			tick := unix.MakeItimerval(2*time.Millisecond, 2*time.Millisecond)
			if _, err := unix.Setitimer(unix.ITIMER_REAL, tick); err != nil {
				return err
			}
			for range 1000 {
				fd, err := unix.Open(f.work("file"), unix.O_RDONLY, 0)
				if err != nil || fd < 3 {
					return errors.Join(err, errors.New("descriptor "+itoa(fd)))
				}
				if err := f.readFD(fd); err != nil {
					return err
				}
				s, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
				if err != nil {
					return err
				}
				err = unix.Connect(s, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}})
				if !errors.Is(err, unix.ECONNREFUSED) {
					return errors.Join(err, errors.New("connect"))
				}
				_ = unix.Close(s)
			}
			f.note.Reset()
			return nil
		}}},
	}.run(t)
}
