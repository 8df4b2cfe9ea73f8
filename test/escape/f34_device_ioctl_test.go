package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// ofDevices: Landlock looks at ioctl from version 5 on.
func ofDevices() want {
	if abi, err := landlock.ABI(); err == nil && abi < 5 {
		return allowed("named as not covered; how much entropy there is is no secret")
	}
	return refused(unix.EACCES)
}

func TestF34DeviceIoctl(t *testing.T) {
	const getEntropyCount = 0x80045200 // RNDGETENTCNT, random(4)
	attack{
		ID: "F34", Title: "ioctl on a device that was opened inside",
		Reference: "LANDLOCK_ACCESS_FS_IOCTL_DEV and its self-tests",
		Tiers:     process,
		Tries: []try{
			{Name: "random", Do: func(*field) error {
				fd, err := unix.Open("/dev/urandom", unix.O_RDONLY, 0)
				if err != nil {
					return err
				}
				_, err = unix.IoctlGetInt(fd, getEntropyCount)
				return err
			}, Want: ofDevices()},
			{Name: "a terminal of its own", Do: func(*field) error {
				fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0)
				if err != nil {
					return err
				}
				_, err = unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
				return err
			}, Want: allowed("programs make terminals for their children")},
		},
	}.run(t)
}
