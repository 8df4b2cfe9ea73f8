package checks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if os.Args[0] == "/become" {
		fmt.Fprintln(os.Stderr, become()) // it has not become
		os.Exit(2)
	}
	if os.Getenv("AMBIT_GUEST") == "" {
		fmt.Fprintln(os.Stderr, "These tests run in a guest of test/guest only: make test-guest")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A said is what a command left.
type said struct {
	out, err string
	status   int
}

// ambit runs the command with a state of its own, in a control group if one is
// given.
func ambit(t *testing.T, group *os.File, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Getenv("AMBIT_BIN"), args...)
	cmd.Env = append(os.Environ(), "AMBIT_STATE_DIR="+t.TempDir())
	if group != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	}
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	return ran(t, cmd, &out, &complaints)
}

// ran runs a command to its end.
func ran(t *testing.T, cmd *exec.Cmd, out, complaints *strings.Builder) said {
	t.Helper()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	s := said{out.String(), complaints.String(), cmd.ProcessState.ExitCode()}
	t.Logf("%q: status %d\n%s%s", cmd.Args, s.status, s.out, s.err)
	return s
}

// want fails unless the status is this and every text is in what was said.
func (s said) want(t *testing.T, status int, texts ...string) {
	t.Helper()
	if s.status != status {
		t.Errorf("status %d, want %d", s.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(s.out+s.err, text) {
			t.Errorf("it does not say %q", text)
		}
	}
}

// TestDoctor: the process tier holds here, and what this kernel's Landlock does
// not cover is named.
func TestDoctor(t *testing.T) {
	s := ambit(t, scope(t), "doctor")
	s.want(t, 0, "holds   user namespaces", "holds   FUSE", "holds   Landlock: leaked descriptors open nothing",
		"holds   limits: memory", "version 2; limited for the sandbox as a whole: memory, pids, cpu", "The process tier holds on this machine.")
	if oldLandlock(t) {
		s.want(t, 0, "weaker  Landlock\n", "version 2, which does not cover what version 6 does: "+
			"truncating by path (Linux 6.2), ioctl on devices (Linux 6.10), signals and abstract sockets (Linux 6.12)")
	}
}

// TestRun: a program sees what it was granted and nothing beside it, and what
// is weaker on this kernel is said and recorded.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"granted", "hidden"} {
		if err := os.WriteFile(dir+"/"+name, []byte("this is "+name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := ambit(t, nil, "run", "--ask", "none", "--allow", "fs.read:"+dir+"/granted", "--", "sh", "-c", "cat "+dir+"/granted; cat "+dir+"/hidden")
	s.want(t, 1, "this is granted", dir+"/hidden: No such file or directory")
	if strings.Contains(s.out, "this is hidden") {
		t.Error("it read what is hidden")
	}
	if oldLandlock(t) {
		s.want(t, 1, "ambit: landlock: version 2, tried, and does not cover truncating by path, ioctl on devices, signals and abstract sockets\n")
	}
}
