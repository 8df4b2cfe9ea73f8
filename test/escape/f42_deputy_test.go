package escape_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The supervisor looks at paths that the program names, to tell of denials. It
// must not open, read or wait for anything there.
func TestF42Deputy(t *testing.T) {
	attack{
		ID: "F42", Title: "have the supervisor open a path for the program",
		Reference: "CVE-2020-15257 and other confused deputies; hazards of seccomp's user notification (seccomp_unotify(2))",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			// A read is counted (relatime): it was last read long before the change.
			was := f.were[f.Canary]
			if err := os.Chtimes(f.Canary, time.Now().Add(-48*time.Hour), time.Unix(was.mtime.Unix())); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mkfifo(f.Outside+"/fifo", 0o666); err != nil {
				t.Fatal(err)
			}
			for name, target := range map[string]string{"loop": "loop", "out": f.Canary, "fifo": f.Outside + "/fifo", "up": "../outside/../outside/canary"} {
				if err := os.Symlink(target, f.work(name)); err != nil {
					t.Fatal(err)
				}
			}
		},
		Flags: func(*field) []string { return []string{"--watch-files=on"} },
		Harm: func(f *field) string {
			var st unix.Stat_t
			if err := unix.Lstat(f.Canary, &st); err != nil || time.Since(time.Unix(st.Atim.Unix())) < 24*time.Hour {
				return "the canary was read"
			}
			return ""
		},
		Tries: []try{{Name: "paths of all kinds", Want: refused(), Slow: "thousands of calls", Do: func(f *field) error {
			var err error
			for range 200 {
				err = f.each([]string{f.Canary, f.work("loop"), f.work("out"), f.work("up"), "../outside/canary", "/proc/self/cwd/../outside/canary",
					"/proc/self/root" + f.Canary, "/proc/1/root" + f.Canary, f.Outside, "", "/proc/self/fd/0/x", "//" + f.Canary},
					func(p string) error {
						fd, err := unix.Open(p, unix.O_RDONLY, 0)
						if err != nil {
							return err
						}
						return errors.Join(f.readFD(fd))
					})
				if !f.Inside {
					return err
				}
				if e := closing(unix.Open(f.work("fifo"), unix.O_RDONLY|unix.O_NONBLOCK, 0)); e == nil {
					return nil
				}
			}
			return err
		}}},
	}.run(t)
}
