package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP13Keyrings(t *testing.T) {
	attack{
		ID: "P13", Title: "the user's and the session's keyring",
		Reference: "all peers but firejail; keyrings belong to no namespace (keyrings(7)); CVE-2016-0728",
		Tiers:     process,
		Tries: []try{
			{Name: "session keyring", Do: func(*field) error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err }, Want: refused(unix.EPERM)},
			{Name: "user keyring", Do: func(*field) error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); return err }, Want: refused(unix.EPERM)},
			{Name: "add_key", Do: func(*field) error {
				_, err := unix.AddKey("user", "ambit-escape", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
				return err
			}, Want: refused(unix.EPERM)},
			{Name: "request_key", Do: func(*field) error {
				_, err := unix.RequestKey("user", "ambit-escape-none", "", 0)
				return reached(err, unix.ENOKEY, unix.ENOENT)
			}, Want: refused(unix.EPERM)},
			{Name: "/proc/keys", Do: func(f *field) error {
				if err := f.readFile("/proc/keys"); err != nil || f.note.Len() == 0 {
					return unix.ENOENT
				}
				return nil
			}, Want: refused(unix.ENOENT, unix.EACCES)},
		},
	}.run(t)
}
