package microvm_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// pty is a terminal of the host that nobody has.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = resize(master, 30, 100)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

func resize(master *os.File, rows, columns uint16) error {
	return unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
}

// TestEnteredTerminal: a program that enters has a terminal with its size, its
// changes of size and its keys.
func TestEnteredTerminal(t *testing.T) {
	tr := tier(t)
	r := start(t, tr, plan(t, input(t, "sleep 600")), "")
	master, slave := pty(t)
	const script = `trap 'echo size $(stty size)' WINCH; trap 'echo interrupted; exit 4' INT
		tty -s && echo begin $(stty size); while :; do sleep 0.05; done`
	g, err := enforce.Enter(r.Session, r.Report().Tier, enforce.Command{Args: []string{"sh", "-c", script}, Env: []string{"PATH=/usr/bin:/bin"}, Dir: "/",
		Files: [3]*os.File{slave, slave, slave}, Terminal: true})
	_ = slave.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(10*time.Minute, func() { _ = r.Kill() }).Stop() // and with it the terminal's other end
	lines := bufio.NewScanner(master)
	says := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("it does not say %q: %v", want, lines.Err())
	}
	says("begin 30 100")
	if err := resize(master, 40, 120); err != nil {
		t.Fatal(err)
	}
	says("size 40 120")
	if _, err := master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	says("interrupted")
	if res, err := g.Wait(); err != nil || res.Exit != 4 {
		t.Errorf("got %+v %v", res, err)
	}
	if err := r.Kill(); err != nil {
		t.Error(err)
	}
	r.wait(t)
}
