// Package servertest starts a real `ambit serve` for tests. It is not part of the
// product.
package servertest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Binary is ambit as AMBIT_BIN names it, or built for the tests that remove it with
// done.
func Binary() (path string, done func(), err error) {
	if path = os.Getenv("AMBIT_BIN"); path != "" {
		return path, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "ambit-serve-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		return "", nil, err
	}
	done = func() { _ = os.RemoveAll(dir) }
	build := exec.Command("go", "build", "-o", dir, "ambit.dev/ambit/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		done()
		return "", nil, fmt.Errorf("build ambit: %w\n%s", err, out)
	}
	return filepath.Join(dir, "ambit"), done, nil
}

// A Host is a running `ambit serve` with a state folder and a home of its own.
type Host struct {
	Ambit, Dir, State, Home string
	Args                    []string // of ambit serve
	Env                     []string // of it, beside the rest

	cmd  *exec.Cmd
	said said
}

// said is what a host says, which may go on while it is read.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Start starts a host in a folder, and waits until it answers.
func Start(ambit, dir string, args ...string) (*Host, error) {
	return StartWith(nil, ambit, dir, args...)
}

// StartWith is Start with more in the host's environment.
func StartWith(env []string, ambit, dir string, args ...string) (*Host, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	h := &Host{Ambit: ambit, Dir: dir, State: filepath.Join(dir, "state"), Args: args, Env: env}
	if h.Home, err = home(); err != nil {
		return nil, err
	}
	return h, h.Again()
}

// home makes a home that is not beneath /tmp: every sandbox has a /tmp of its own, and
// nobody is asked about what is hidden by that.
func home() (string, error) {
	own, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(own, ".ambit-serve-")
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// patience is how long a busy machine may take for anything here.
const patience = 60 * time.Second

// Again starts the host once more, after its end.
func (h *Host) Again() error {
	h.cmd = h.Command(append([]string{"serve", "--stand-by=1"}, h.Args...)...)
	h.cmd.Stderr, h.cmd.Env = &h.said, append(h.cmd.Env, h.Env...)
	if err := h.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		//nolint:forbidigo // it is for tests, and the loop bounds it
		c, err := h.Dial(context.Background())
		if err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("the host does not answer: %s", h.Said())
}

// Port is the address that a host listens on, HOST:PORT, and the fingerprint that it
// names; nothing where it has said none.
func (h *Host) Port() (address, fingerprint string) {
	_, rest, ok := strings.Cut(h.Said(), " msg=listening address=")
	if !ok {
		return "", ""
	}
	address, rest, _ = strings.Cut(rest, " ")
	_, rest, _ = strings.Cut(rest, "SHA-256 ")
	fingerprint, _, _ = strings.Cut(rest, `"`)
	return address, fingerprint
}

// Said is what the host has said on its standard error.
func (h *Host) Said() string { return h.said.String() }

// PID is that of the host's process.
func (h *Host) PID() int { return h.cmd.Process.Pid }

// Command is a run of ambit on the same state.
func (h *Host) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.Ambit, args...)
	cmd.Dir = h.Home
	cmd.Env = h.Environ()
	return cmd
}

// Environ is the environment of the host, and of what belongs to it.
func (h *Host) Environ() []string {
	return []string{"HOME=" + h.Home, "AMBIT_STATE_DIR=" + h.State, "USER=tester", "LANG=C.UTF-8", "TERM=dumb", "TZ=UTC", "NO_COLOR=1",
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "TMPDIR=" + os.TempDir()}
}

// Dial connects to the host's socket.
func (h *Host) Dial(ctx context.Context) (net.Conn, error) {
	dir, err := os.Open(h.State)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var d net.Dialer
	return d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/host.sock", dir.Fd()))
}

// Client is an HTTP client for the host's socket, whatever host a URL names.
func (h *Host) Client() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return h.Dial(ctx) }}}
}

// End ends the host by a signal, and waits.
func (h *Host) End(signal syscall.Signal) error {
	if err := h.cmd.Process.Signal(signal); err != nil {
		return err
	}
	_ = h.cmd.Wait() // a signal is how it ends
	return nil
}

// Close ends the sessions and the host.
func (h *Host) Close() {
	_ = h.Command("stop", "--all").Run() // there may be none
	_ = h.End(syscall.SIGTERM)           // it may have ended
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if len(h.Keepers()) == 0 {
			break
		}
	}
	openUp(filepath.Join(h.State, "changes"))
	_ = os.RemoveAll(h.Home) // a temporary folder
}

// openUp lets an ordinary user remove what sessions changed and is kept apart: the
// kernel makes folders there that nobody may read.
func openUp(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return // there are none
	}
	_ = fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error { // who removes them says what stays
		if err == nil && d.IsDir() {
			err = root.Chmod(path, 0o700) // before it is read
		}
		return err
	})
	_ = root.Close() // nothing was written
}

// Keepers are the processes that look after sessions of this host, and those that
// stand by.
func (h *Host) Keepers() (pids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range all {
		text, err := os.ReadFile(f)
		words := strings.Split(string(text), "\x00")
		if err == nil && len(words) > 1 && filepath.Base(words[0]) == "ambit-keeper" && strings.Contains(string(text), h.State+"/") {
			pids = append(pids, filepath.Base(filepath.Dir(f)))
		}
	}
	return pids
}
