package start_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/companion/start"
)

// The companions of these tests are copies of the test binary.
const variable = "AMBIT_TEST_COMPANION"

// message is what is said to them, and by them.
type message struct{ Text string }

const most = 4096

func TestMain(m *testing.M) {
	mode := os.Getenv(variable)
	if mode == "" {
		os.Exit(m.Run())
	}
	if err := serve(mode); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(mode string) error {
	if mode == "starter" {
		p, err := start.Start(start.Config{Path: os.Args[0], Env: []string{variable + "=echo"}, Stderr: os.Stdout})
		if err != nil {
			return err
		}
		if err := p.Conn(most).Send(message{"x"}); err != nil {
			return err
		}
		fmt.Println("started")
		time.Sleep(time.Hour) // until it is killed
	}
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	c := companion.NewConn(line, most)
	switch dir := os.Getenv("DIR"); mode {
	case "stubborn":
		time.Sleep(time.Hour) // until it is killed
	case "confined":
		if err := companion.Confine(companion.Files{Read: []string{filepath.Join(dir, "read"), filepath.Join(dir, "absent")}, Write: []string{filepath.Join(dir, "write")}}); err != nil {
			return err
		}
		return attempts(c, dir)
	case "free":
		return attempts(c, dir)
	case "environment":
		return c.Send(message{strings.Join(append(os.Environ(), os.Args[1:]...), " ")})
	}
	for {
		var m message
		if err := c.Receive(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if m.Text == "pid" {
			m.Text = strconv.Itoa(os.Getpid())
		}
		if err := c.Send(m); err != nil {
			return err
		}
	}
}

// attempts tells what a companion can do.
func attempts(c *companion.Conn, dir string) error {
	try := func(name string, err error) string {
		if err == nil {
			return name + ": done"
		}
		return name + ": " + errors.Unwrap(err).Error()
	}
	_, read := os.ReadFile(filepath.Join(dir, "read", "f"))
	_, outside := os.ReadFile(filepath.Join(dir, "outside"))
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	return c.Send(message{strings.Join([]string{
		try("read", read), try("read outside", outside),
		try("write where it reads", os.WriteFile(filepath.Join(dir, "read", "f"), nil, 0o600)),
		try("write", os.WriteFile(filepath.Join(dir, "write", "f"), nil, 0o600)),
		try("write outside", os.WriteFile(filepath.Join(dir, "new"), nil, 0o600)),
		fmt.Sprintf("dumpable: %d", dumpable)}, "\n")})
}

func begin(t *testing.T, cfg start.Config, mode string, env ...string) *start.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Path, cfg.Env, cfg.Stderr = self, append(env, variable+"="+mode), os.Stderr
	p, err := start.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

func TestMessages(t *testing.T) {
	p := begin(t, start.Config{}, "echo")
	c := p.Conn(most)
	for _, text := range []string{"", "a", "two\nlines", strings.Repeat("x", most-32)} {
		var m message
		if err := c.Send(message{text}); err != nil {
			t.Fatal(err)
		}
		if err := c.Receive(&m); err != nil || m.Text != text {
			t.Errorf("%q came back as %q, %v", text, m.Text, err)
		}
	}
	if err := c.Send(message{strings.Repeat("x", most)}); err == nil {
		t.Error("a message that is too long is sent")
	}
	if _, err := p.Line.Write([]byte(strings.Repeat("x", 2*most))); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil {
		t.Error("a line that is too long is read")
	}
}

func TestForeignField(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	go func() {
		_, _ = a.Write([]byte(`{"Text":"x","Other":1}` + "\n"))
		_ = a.Close()
	}()
	var m message
	if err := companion.NewConn(b, most).Receive(&m); err == nil {
		t.Error("a message with a field that nobody knows is taken")
	}
}

func TestStop(t *testing.T) {
	p := begin(t, start.Config{Settle: time.Minute}, "echo")
	p.Stop()
	if err := p.Wait(); err != nil {
		t.Errorf("one that ends by itself: %v", err)
	}
	p = begin(t, start.Config{Settle: 50 * time.Millisecond}, "stubborn")
	p.Stop()
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("one that does not: %v", err)
	}
	(*start.Process)(nil).Stop() // there is nothing to stop
}

// TestGroupSignals: what ends a whole group of processes leaves a companion to
// whoever started it.
func TestGroupSignals(t *testing.T) {
	p := begin(t, start.Config{}, "echo")
	c := p.Conn(most)
	say := func(text string) string {
		t.Helper()
		var m message
		if err := c.Send(message{text}); err != nil {
			t.Fatal(err)
		}
		if err := c.Receive(&m); err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
		return m.Text
	}
	pid, err := strconv.Atoi(say("pid"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []unix.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGHUP, unix.SIGTERM} {
		if err := unix.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
		if got := say(s.String()); got != s.String() {
			t.Errorf("it says %q", got)
		}
	}
	p.Stop()
}

func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_STARTER", "x")
	p := begin(t, start.Config{Args: []string{"one"}}, "environment", "A=b")
	var m message
	if err := p.Conn(most).Receive(&m); err != nil {
		t.Fatal(err)
	}
	if want := "A=b " + variable + "=environment one"; m.Text != want {
		t.Errorf("got %q, want %q", m.Text, want)
	}
}

// TestEndsWithStarter: a companion ends when whoever started it was killed.
func TestEndsWithStarter(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{variable + "=starter"}
	out, err := cmd.StdoutPipe() // which the companion has too
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); line != "started\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, r) // until nobody has the pipe any more
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it lives on")
	}
	_ = cmd.Wait() // it was killed
}

// TestConfine: what a companion gives up it cannot do. The same attempts by one
// that gave nothing up succeed.
func TestConfine(t *testing.T) {
	built, _ := debug.ReadBuildInfo()
	if slices.ContainsFunc(built.Settings, func(s debug.BuildSetting) bool { return s.Key == "CGO_ENABLED" && s.Value == "1" }) {
		t.Skip("requires: a test program built without cgo")
	}
	for mode, want := range map[string][]string{
		"confined": {"read: done", "read outside: permission denied", "write where it reads: permission denied", "write: done",
			"write outside: permission denied", "dumpable: 0"},
		"free": {"read: done", "read outside: done", "write where it reads: done", "write: done", "write outside: done", "dumpable: 1"},
	} {
		dir := t.TempDir()
		for _, d := range []string{"read", "write"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []string{"read/f", "outside"} {
			if err := os.WriteFile(filepath.Join(dir, f), []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var m message
		if err := begin(t, start.Config{}, mode, "DIR="+dir).Conn(most).Receive(&m); err != nil {
			t.Fatal(err)
		}
		if got := strings.Split(m.Text, "\n"); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", mode, got, want)
		}
	}
}

// TestAlone: a companion that nobody started says so, and does nothing.
func TestAlone(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = []string{variable + "=echo"}
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "started by ambit") {
		t.Errorf("%s, %v", out, err)
	}
}
