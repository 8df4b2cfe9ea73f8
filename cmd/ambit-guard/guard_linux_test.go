package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const childVariable = "AMBIT_GUARD_TEST_FILE"

// What was taken from a process cannot be given back, so it is tried in a copy of
// the test binary, which the guard's code executes.
func TestMain(m *testing.M) {
	file := os.Getenv(childVariable)
	switch {
	case file == "":
		os.Exit(m.Run())
	case len(os.Args) == 2 && os.Args[1] == "try":
		try(file)
		os.Exit(0)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Println(err)
	}
	os.Exit(125)
}

// attempts are the ways to change the content of a file that is open.
var attempts = []struct {
	name string
	try  func(fd int) error
}{
	{"pwrite", func(fd int) error { _, err := unix.Pwrite(fd, []byte("x"), 0); return err }},
	{"write", func(fd int) error { _, err := unix.Write(fd, []byte("x")); return err }},
	{"map it shared", func(fd int) error {
		b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err == nil {
			b[0]++
		}
		return err
	}},
	{"map it shared to read, then write", func(fd int) error {
		b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		return unix.Mprotect(b, unix.PROT_READ|unix.PROT_WRITE)
	}},
	{"cut it short", func(fd int) error { return unix.Ftruncate(fd, 4096) }},
	{"make it longer", func(fd int) error { return unix.Ftruncate(fd, 3<<20) }},
	{"punch a hole", func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)
	}},
	{"change its mode", func(fd int) error { return unix.Fchmod(fd, 0o600) }},
	{"splice into it", func(fd int) error {
		var p [2]int
		if err := unix.Pipe(p[:]); err != nil {
			return err
		}
		if _, err := unix.Write(p[1], []byte("x")); err != nil {
			return err
		}
		_, err := unix.Splice(p[0], nil, fd, nil, 1, 0)
		return err
	}},
	{"copy a range into it", func(fd int) error {
		from, to := int64(8192), int64(0)
		_, err := unix.CopyFileRange(fd, &from, fd, &to, 4096, 0)
		return err
	}},
}

// stays is what QEMU needs of the file.
func stays(fd int) error {
	b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	b[0]++
	_, err = unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	return err
}

func try(file string) {
	// Instead of being ended by the signal, see the error.
	signal.Ignore(unix.SIGXFSZ)
	for _, a := range attempts {
		fd, err := unix.Open(file, unix.O_RDWR, 0)
		if err != nil {
			fmt.Println("open", err)
			return
		}
		fmt.Printf("%s: %v\n", a.name, a.try(fd))
		_ = unix.Close(fd)
	}
	fd, err := unix.Open(file, unix.O_RDWR, 0)
	if err == nil {
		err = stays(fd)
	}
	fmt.Printf("private: %v\n", err)
}

// TestFrozen tries every way with the guard and without: each works without.
func TestFrozen(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, frozen := range []bool{false, true} {
		t.Run(fmt.Sprint(frozen), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ram")
			if err := os.WriteFile(file, make([]byte, 2<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			argv := []string{"--", self, "try"}
			if frozen {
				argv = append([]string{"--frozen"}, argv...)
			}
			cmd := exec.Command(self, argv...)
			cmd.Env = append(os.Environ(), childVariable+"="+file)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, a := range attempts {
				worked := strings.Contains(string(out), a.name+": <nil>\n")
				if worked == frozen {
					t.Errorf("%s: worked %t, frozen %t\n%s", a.name, worked, frozen, out)
				}
			}
			if !strings.Contains(string(out), "private: <nil>\n") {
				t.Errorf("a private copy cannot be made: %s", out)
			}
			after, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if same := string(before) == string(after); same != frozen {
				t.Errorf("the file is the same: %t, frozen %t", same, frozen)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"--frozen"}, {"/bin/true"}, {"--frozen", "/bin/true"}, {"--"}} {
		if err := run(args); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
