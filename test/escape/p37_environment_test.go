package escape_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP37Environment(t *testing.T) {
	find := func(path string) func(f *field) error {
		return func(f *field) error {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "DOCKER_HOST", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "AMBIT_STATE_DIR", "HISTFILE"} {
				if strings.Contains(string(text), name+"=") {
					return nil
				}
			}
			return unix.ENOENT
		}
	}
	attack{
		ID: "P37", Title: "secrets in the launcher's environment, and its descriptors",
		Reference: "6 of 8 peers hand the whole environment on; agents' API keys",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.env = []string{"AWS_SECRET_ACCESS_KEY=" + f.token, "SSH_AUTH_SOCK=/run/" + f.token, "DOCKER_HOST=x", "DBUS_SESSION_BUS_ADDRESS=x", "XAUTHORITY=x", "HISTFILE=x",
				"LC_" + "SECRET=kept"}
			h, err := os.Open(f.Canary)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { h.Close() })
			f.extra = []*os.File{h}
		},
		Tries: []try{
			{Name: "own environment", Do: find("/proc/self/environ"), Want: refused(unix.ENOENT)},
			{Name: "environment of the parent", Do: func(f *field) error { return find("/proc/" + itoa(os.Getppid()) + "/environ")(f) },
				NoControl: "the parent is the test", Want: refused(unix.ENOENT, unix.EACCES)},
			{Name: "words of the parent", Do: func(f *field) error { return f.readFile("/proc/" + itoa(os.Getppid()) + "/cmdline") },
				Want: allowed("they are the program's own")},
			{Name: "descriptors", Do: func(*field) error {
				var open []string
				for fd := 3; fd < 4096; fd++ {
					var st unix.Stat_t
					if err := unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
						open = append(open, itoa(fd))
					}
				}
				if len(open) == 0 {
					return errors.Join(unix.EBADF)
				}
				return nil
			}, Want: refused(unix.EBADF)},
		},
	}.run(t)
}
