package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestF07ProcPID(t *testing.T) {
	of := func(name string) func(f *field) error {
		return func(f *field) error { return f.readFile("/proc/" + f.Values["pid"] + "/" + name) }
	}
	no := refused(unix.ENOENT)
	attack{
		ID: "F7", Title: "read a process of the host through /proc",
		Reference: "landrun and other tools without a pid namespace; CDK's procfs exploits",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.victim(t) },
		Tries: []try{
			{Name: "environ", Do: of("environ"), Want: no},
			{Name: "cmdline", Do: of("cmdline"), Want: no},
			{Name: "maps", Do: of("maps"), Want: no},
			{Name: "mem", Do: func(f *field) error {
				m, err := os.OpenFile("/proc/"+f.Values["pid"]+"/mem", os.O_RDWR, 0)
				if err != nil {
					return err
				}
				_, err = m.ReadAt(make([]byte, 8), int64(f.number("address")))
				return err
			}, Want: no},
			{Name: "root", Do: func(f *field) error { return f.readFile("/proc/" + f.Values["pid"] + "/root" + f.Canary) }, Want: no},
			{Name: "cwd", Do: func(f *field) error { return f.readFile("/proc/" + f.Values["pid"] + "/cwd/../outside/canary") }, Want: no},
			{Name: "fd", Do: func(f *field) error {
				return closing(unix.Open("/proc/"+f.Values["pid"]+"/fd/1", unix.O_WRONLY|unix.O_NONBLOCK, 0))
			}, Want: no},
		},
	}.run(t)
}
