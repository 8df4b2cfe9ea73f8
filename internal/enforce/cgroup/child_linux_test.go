package cgroup_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/cgroup"
)

// Processes that are limited are copies of the test binary. They enter a group
// as a sandbox does: "0" into each descriptor, here 3 and up.
const childVariable = "AMBIT_CGROUP_TEST_CHILD"

func TestMain(m *testing.M) {
	child := os.Getenv(childVariable)
	if child == "" {
		os.Exit(m.Run())
	}
	name, descriptors, _ := strings.Cut(child, " ")
	n, _ := strconv.Atoi(descriptors)
	for fd := 3; fd < 3+n; fd++ {
		if _, err := unix.Write(fd, []byte("0")); err != nil {
			fmt.Fprintln(os.Stderr, "enter:", err)
			os.Exit(2)
		}
	}
	switch name {
	case "hog":
		hog()
	case "forks":
		forks()
	case "spin":
		spin()
	case "sleep":
		time.Sleep(time.Minute)
	case "divide":
		divide()
	}
	os.Exit(0)
}

// command returns a copy of the test binary that first enters g, if it is not
// nil.
func command(t *testing.T, name string, g *cgroup.Group) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Stderr = new(bytes.Buffer)
	var fds []int
	if g != nil {
		fds = g.ProcsFDs()
	}
	for _, fd := range fds {
		copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(copied), "cgroup.procs")
		t.Cleanup(func() { f.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", childVariable, name, len(fds)))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return cmd
}

// hog takes 256 MiB, page by page.
func hog() {
	b, err := unix.Mmap(-1, 0, 256<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	fmt.Println("had it all")
}

// forks starts processes that stay, until it cannot or has a hundred.
func forks() {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	for n := range 100 {
		env := []string{childVariable + "=sleep 0", "GOMAXPROCS=1"}
		if _, err := os.StartProcess(self, []string{"sleep"}, &os.ProcAttr{Env: env}); err != nil {
			fmt.Println(n, "started, then:", err)
			time.Sleep(time.Minute) // until killed with the others
		}
	}
	fmt.Println("100 started")
	time.Sleep(time.Minute)
}

// spin works for a second and says how much processor time it had.
func spin() {
	begun := used()
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
	}
	fmt.Println((used() - begun).Milliseconds())
}

// used is the processor time of this process.
func used() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// divide is a launcher in a cgroup of version 2 of its own.
func divide() {
	dir := os.Getenv("AMBIT_CGROUP_TEST_DIR")
	if err := cgroup.HandDown(dir, "hugetlb"); err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		if place, ok := strings.CutPrefix(line, "0::"); ok {
			fmt.Print(place)
		}
	}
	time.Sleep(time.Minute)
}

// cgroupOf returns a maker of processes that enter the cgroup dir.
func cgroupOf(t *testing.T, dir string) func(name string) *exec.Cmd {
	t.Helper()
	procs, err := os.OpenFile(dir+"/cgroup.procs", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { procs.Close() })
	return func(name string) *exec.Cmd {
		cmd := command(t, name, nil)
		cmd.ExtraFiles = []*os.File{procs}
		cmd.Env = append(os.Environ(), childVariable+"="+name+" 1", "AMBIT_CGROUP_TEST_DIR="+dir)
		t.Cleanup(func() {
			if cmd.Process != nil && cmd.ProcessState == nil {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}
		})
		return cmd
	}
}
