package zone

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const tallySize = 16

// openTally begins to count together with the other servers of the zone: what lies
// there is counted anew, while none of them adds to it.
func (z *Zone) openTally() error {
	if z.config.Tally == "" {
		return nil
	}
	fd, err := unix.Open(z.config.Tally, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("open the count that sessions share: %w", err)
	}
	z.tally = fd
	if z.config.Change {
		return z.alone()
	}
	unlock, err := z.exclusive()
	if err != nil {
		return err
	}
	defer unlock()
	if z.used, err = z.count(); err != nil {
		return err
	}
	return z.keepTally()
}

// readTally takes what others have counted. The lock is held, but for a look.
func (z *Zone) readTally() error {
	if z.tally < 0 || z.config.Change {
		return nil
	}
	b := make([]byte, tallySize)
	n, err := unix.Pread(z.tally, b, 0)
	if err == nil && n != tallySize {
		err = errors.New("the count that sessions share is cut off")
	}
	if err == nil {
		z.used = usage{max(int64(wire.Uint64(b)), 0), max(int64(wire.Uint64(b[8:])), 0)}
	}
	return err
}

// keepTally tells the others. The lock is held.
func (z *Zone) keepTally() error {
	if z.tally < 0 || z.config.Change {
		return nil
	}
	b := wire.AppendUint64(wire.AppendUint64(nil, uint64(z.used.bytes)), uint64(z.used.files))
	_, err := unix.Pwrite(z.tally, b, 0)
	return err
}

// together holds the lock and what was counted, where sessions count together.
func (z *Zone) together() (unlock func(), err error) {
	if z.tally < 0 || z.config.Change {
		return func() {}, nil
	}
	if unlock, err = z.exclusive(); err != nil {
		return nil, err
	}
	if err := z.readTally(); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}
