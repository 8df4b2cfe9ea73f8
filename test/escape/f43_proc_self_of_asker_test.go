package escape_test

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func TestF43ProcSelfOfAsker(t *testing.T) {
	attack{
		ID: "F43", Title: "paths that mean something else to the supervisor",
		Reference: "tar's chmod of /proc/self/fd/N, resolved by a supervisor to its own file",
		Tiers:     process,
		Flags:     func(*field) []string { return []string{"--watch-files=on"} },
		Tries: []try{
			{Name: "self", Do: func(*field) error {
				for _, name := range []string{"/proc/self", "/proc/thread-self", "/proc/" + itoa(os.Getpid())} {
					if pid := status(name, "Tgid"); pid != itoa(os.Getpid()) {
						return errors.New(name + " is of " + pid)
					}
				}
				return nil
			}, Want: allowed("it is the asker's own")},
			{Name: "fd", Do: func(f *field) error {
				file, err := os.Open(f.work("file"))
				if err != nil {
					return err
				}
				for _, name := range []string{"/proc/self/fd/", "/dev/fd/", "/proc/thread-self/fd/"} {
					text, err := os.ReadFile(name + itoa(int(file.Fd())))
					if err != nil || string(text) != "work\n" {
						return errors.Join(err, errors.New(name+" says "+string(text)))
					}
				}
				return nil
			}, Want: allowed("it is the asker's own")},
			{Name: "environment", Do: func(f *field) error {
				text, err := os.ReadFile("/proc/self/environ")
				if err != nil || !strings.Contains(string(text), "AMBIT_STATE_DIR") {
					return errors.New("no variable of the launcher")
				}
				return nil
			}, Want: refused()},
		},
	}.run(t)
}
