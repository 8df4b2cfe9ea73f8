package checks

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// connects tries the sockets that it is told of, a line each, and says what came
// of it.
const connects = `
import errno, os, socket, sys
own = socket.socket(socket.AF_UNIX); own.bind("/tmp/own"); own.listen()
for name in ["/tmp/own"] + sys.argv[1:]:
    if name == "-":
        print("ready", flush=True); sys.stdin.readline(); continue
    s = socket.socket(socket.AF_UNIX)
    try: s.connect(name); said = "connected"
    except OSError as e: said = errno.errorcode[e.errno]
    print(os.path.basename(name), said, flush=True)`

// landlockVersion is what "ambit version" says of this kernel's.
func landlockVersion(t *testing.T) int {
	t.Helper()
	found := regexp.MustCompile(`Landlock version (\d+)`).FindStringSubmatch(ambit(t, nil, "version").out)
	if found == nil {
		t.Fatal("ambit version does not say which Landlock is there")
	}
	v, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSockets: a granted folder does not give the sockets in it that the host had
// bound by name when the program was started, and a grant of one does. What the
// host binds afterwards, or had bound by a relative name, is closed from version
// 9 of Landlock on; below that it is open, and doctor says so. What the sandbox
// binds is its own everywhere.
func TestSockets(t *testing.T) {
	dir, late := t.TempDir(), "connected"
	if version := landlockVersion(t); version >= 9 {
		late = "EACCES"
	} else {
		ambit(t, nil, "doctor").want(t, 0, "unix sockets that the host binds in a granted folder after the start are closed from version 9 on")
	}
	for _, name := range []string{"early", "named"} {
		serve(t, filepath.Join(dir, name))
	}
	t.Chdir(dir)
	serve(t, "relative")
	p := startTalking(t, "run", "--ask", "none", "--allow", "fs.read:"+dir, "--allow", "fs.read:"+dir+"/named", "--", "python3", "-c", connects,
		dir+"/early", dir+"/named", dir+"/relative", "-", dir+"/late")
	p.says(t, "own connected")
	// A masked socket is another one that nobody listens at, or may not be reached.
	p.says(t, "early ECONNREFUSED", "early EACCES")
	p.says(t, "named connected")
	p.says(t, "relative "+late)
	p.says(t, "ready")
	serve(t, filepath.Join(dir, "late"))
	if _, err := io.WriteString(p.in, "go on\n"); err != nil {
		t.Fatal(err)
	}
	p.says(t, "late "+late)
	if err := p.ends(); err != nil {
		t.Error(err)
	}
}

// serve listens at a socket of the host.
func serve(t *testing.T, name string) {
	t.Helper()
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

// A talking is ambit with a program that one line after the other is heard of.
type talking struct {
	in    io.Writer
	lines *bufio.Scanner
	ends  func() error
}

func startTalking(t *testing.T, args ...string) talking {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	cmd := exec.CommandContext(ctx, os.Getenv("AMBIT_BIN"), args...)
	cmd.Env, cmd.Stderr = append(os.Environ(), "AMBIT_STATE_DIR="+t.TempDir()), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return talking{in, bufio.NewScanner(out), func() error {
		defer cancel()
		return errors.Join(in.Close(), cmd.Wait())
	}}
}

// says fails unless the next line is one of these.
func (p talking) says(t *testing.T, want ...string) {
	t.Helper()
	if !p.lines.Scan() {
		t.Fatalf("it ended, want %q", want)
	}
	for _, w := range want {
		if p.lines.Text() == w {
			return
		}
	}
	t.Errorf("it says %q, want %q", p.lines.Text(), want)
}
