package deb_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a busy machine may take for anything here.
const patience = 60 * time.Second

// installed is a command of the package as it lies after its installation.
func installed(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	needDpkg(t)
	cmd := exec.Command(filepath.Join(root, "usr/bin/ambit"), args...)
	cmd.Env = append(os.Environ(), "AMBIT_STATE_DIR="+t.TempDir(), "NO_COLOR=1")
	return cmd
}

// What is installed confines a program, and finds what lies beside it, through the link
// in /usr/bin.
func TestInstalledRuns(t *testing.T) {
	if got := output(t, installed(t, "run", "--ask", "none", "--", "echo", "inside")); got != "inside\n" {
		t.Errorf("ambit run said %q", got)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := installed(t, "run", "--ask", "none", "--", "cat", secret).CombinedOutput(); err == nil {
		t.Errorf("read what was not granted: %s", out)
	}
	// The store is a program beside it.
	output(t, installed(t, "grants", "ls"))
	out, err := installed(t, "doctor").CombinedOutput() // it fails where a layer does not hold, which is the host's
	if !strings.Contains(string(out), "Landlock") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
}

// A service manager hears when the host serves and that it ends, and not before.
func TestInstalledReady(t *testing.T) {
	cmd := installed(t, "serve")
	dir, err := os.MkdirTemp("", "n") //nolint:usetesting // a socket's name has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	name := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	state := filepath.Join(dir, "state")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+name, "AMBIT_STATE_DIR="+state)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer cmd.Process.Kill() // it may have ended
	hear := func(want string) {
		t.Helper()
		b := make([]byte, 64)
		if err := l.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := l.Read(b); err != nil || string(b[:n]) != want {
			t.Fatalf("heard %q, %v, want %q", b[:n], err, want)
		}
	}
	hear("READY=1")
	c, err := net.Dial("unix", filepath.Join(state, "host.sock"))
	if err != nil {
		t.Fatalf("it does not serve when it says so: %v", err)
	}
	_ = c.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hear("STOPPING=1")
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}

// The units are read by systemd without a complaint, where it is there.
func TestUnits(t *testing.T) {
	needDpkg(t)
	for _, unit := range []string{"usr/lib/systemd/user/ambit.service", "usr/lib/systemd/system/ambit@.service"} {
		text, err := os.ReadFile(filepath.Join(root, unit))
		if err != nil {
			t.Fatal(err)
		}
		// Sessions outlive the host, and one of them that is out of memory does not end it.
		for _, want := range []string{"\nType=notify\n", "\nExecStart=/usr/bin/ambit serve", "\nKillMode=process\n", "\nOOMPolicy=continue\n", "\nNoNewPrivileges=yes\n"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: no line %q", unit, strings.TrimSpace(want))
			}
		}
		if _, err := exec.LookPath("systemd-analyze"); err != nil {
			continue
		}
		verify(t, string(text), filepath.Base(unit))
	}
}

// verify has systemd read a unit that starts a program that is there.
func verify(t *testing.T, unit, name string) {
	t.Helper()
	name = strings.Replace(name, "@.", "@nobody.", 1)
	file := filepath.Join(t.TempDir(), name)
	unit = strings.Replace(unit, "ExecStart=/usr/bin/ambit", "ExecStart="+filepath.Join(root, "usr/bin/ambit"), 1)
	if err := os.WriteFile(file, []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", file)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "SYSTEMD_LOG_LEVEL=warning")
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, name) || strings.Contains(line, "nknown") {
			t.Errorf("systemd: %s", line)
		}
	}
	if err != nil {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}
