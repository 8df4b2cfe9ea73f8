package terminal_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/approval"
)

// desk is a launcher on a terminal, and what the terminal shows.
type desk struct {
	t             *testing.T
	master, slave *os.File
	cmd           *exec.Cmd
	vt            *vt
	report        string
	ended         chan struct{}
}

// sit starts a launcher on a new terminal and waits until it is ready. command,
// if any, is started instead, with the launcher's command line in $LAUNCHER.
func sit(t *testing.T, p play, w, h int, command ...string) *desk {
	t.Helper()
	d := &desk{t: t, report: filepath.Join(t.TempDir(), "report"), ended: make(chan struct{})}
	var err error
	if d.master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	var n uint32
	err = d.control(func(fd int) error {
		var err error
		if n, err = unix.IoctlGetUint32(fd, unix.TIOCGPTN); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	})
	if err == nil {
		err = d.resize(w, h)
	}
	if err == nil {
		d.slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.vt = newVT(w, h, func(s string) { _, _ = d.master.WriteString(s) })
	p.Report = d.report
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if command == nil {
		command = []string{self}
	}
	d.cmd = exec.Command(command[0], command[1:]...)
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TERM=xterm", "LC_ALL=C.UTF-8", "PS1=:> ", "LAUNCHER=" + self,
		"HISTFILE=", "BASH_SILENCE_DEPRECATION_WARNING=1", "GOTRACEBACK=single", playVariable + "=" + string(text)}
	d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = d.slave, d.slave, d.slave
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go d.watch()
	t.Cleanup(d.leave)
	return d
}

// control does something to the terminal. Its descriptor is not taken out of the
// file: that would make reads block, and closing it would not end them.
func (d *desk) control(do func(fd int) error) error {
	conn, err := d.master.SyscallConn()
	if err != nil {
		return err
	}
	var did error
	if err := conn.Control(func(fd uintptr) { did = do(int(fd)) }); err != nil {
		return err
	}
	return did
}

func (d *desk) resize(w, h int) error {
	return d.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(w), Row: uint16(h)})
	})
}

// foreground is the process group that the terminal belongs to.
func (d *desk) foreground() (group int, err error) {
	err = d.control(func(fd int) (err error) {
		group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	return group, err
}

func (d *desk) watch() {
	defer close(d.ended)
	buf := make([]byte, 4096)
	for {
		n, err := d.master.Read(buf)
		d.vt.write(buf[:n])
		if err != nil {
			return
		}
	}
}

func (d *desk) leave() {
	if d.t.Failed() {
		d.t.Logf("the terminal shows:\n%s", d.vt.text())
	}
	// What it started may stand still, and nobody would wake it.
	_ = exec.Command("pkill", "-KILL", "-s", strconv.Itoa(d.cmd.Process.Pid)).Run()
	_ = unix.Kill(d.cmd.Process.Pid, unix.SIGKILL)
	_ = d.cmd.Wait()
	_ = d.slave.Close()
	_ = d.master.Close()
	<-d.ended
}

// until waits for something.
func (d *desk) until(what string, f func() bool) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("waited for %s; the terminal shows:\n%s", what, d.vt.text())
		}
	}
}

// sees waits until a text is shown.
func (d *desk) sees(text string) {
	d.t.Helper()
	d.until(fmt.Sprintf("%q", text), func() bool { return strings.Contains(d.vt.text(), text) })
}

func (d *desk) types(keys ...string) {
	d.t.Helper()
	for i, k := range keys {
		if i > 0 {
			time.Sleep(80 * time.Millisecond) // as a person: one at a time
		}
		if _, err := d.master.WriteString(k); err != nil {
			d.t.Fatal(err)
		}
	}
}

// answers chooses an answer and gives it, again if the machine was too busy for
// the keys to count.
func (d *desk) answers(choice string) {
	d.t.Helper()
	before := len(d.outcomes())
	d.again(choice, func() bool { return strings.Contains(d.vt.text(), "> "+choice+"  Yes") })
	d.again("\r", func() bool { return len(d.outcomes()) > before })
}

// again presses a key until it has had its effect.
func (d *desk) again(key string, done func() bool) {
	d.t.Helper()
	for range 10 {
		d.types(key)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if done() {
				return
			}
		}
	}
	d.t.Fatalf("the key %q does nothing; the terminal shows:\n%s", key, d.vt.text())
}

const foot = "ambit approve d-7f3ak2mq5x"

// asks makes the launcher ask, and waits until keys count.
func (d *desk) asks() {
	d.t.Helper()
	d.until("the launcher", func() bool { return len(d.outcomes()) > 0 })
	if err := unix.Kill(d.cmd.Process.Pid, unix.SIGUSR1); err != nil {
		d.t.Fatal(err)
	}
	d.sees(foot)
	time.Sleep(400 * time.Millisecond)
}

// outcomes are what the launcher has noted. The first says that it is ready.
func (d *desk) outcomes() (all []outcome) {
	text, _ := os.ReadFile(d.report)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err == nil {
			all = append(all, o)
		}
	}
	return all
}

// outcome waits for what came of the nth question.
func (d *desk) outcome(n int) outcome {
	d.t.Helper()
	d.until("an outcome", func() bool { return len(d.outcomes()) > n })
	return d.outcomes()[n]
}

// modes are those of the terminal, for comparison.
func (d *desk) modes() string {
	d.t.Helper()
	m, err := unix.IoctlGetTermios(int(d.slave.Fd()), unix.TCGETS)
	if err != nil {
		d.t.Fatal(err)
	}
	return fmt.Sprintf("%+v", *m)
}

// kept is a terminal as it was before a question.
type kept struct{ modes, text, cursor string }

func (d *desk) keep() kept { return kept{d.modes(), d.vt.text(), d.vt.cursor()} }

// settled is the terminal once nothing is drawn any more: a line that was written may
// arrive before its end does.
func (d *desk) settled() (k kept) {
	d.t.Helper()
	since := time.Now()
	d.until("a terminal on which nothing is drawn", func() bool {
		if is := d.keep(); is != k {
			k, since = is, time.Now()
		}
		return time.Since(since) > 500*time.Millisecond
	})
	return k
}

// same waits until all is as it was.
func (d *desk) same(k kept) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		is := d.keep()
		if is == k && !d.vt.alternate() {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("afterwards, on the alternate screen: %v\n%s\n%s\n%s\nbefore\n%s\n%s\n%s", d.vt.alternate(), is.modes, is.cursor, is.text, k.modes, k.cursor, k.text)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, lines := range []bool{false, true} {
		d := sit(t, play{Lines: lines}, 80, 24)
		d.sees("launcher ready")
		before := d.settled()
		d.asks()
		shows := func(words ...string) func() bool {
			return func() bool {
				return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(d.vt.text(), w) })
			}
		}
		d.again("s", shows("> s  Yes", "Answer   Yes, for this session"))
		d.again("2", shows("> 2  this", "What     this directory"))
		d.again("\r", func() bool { return len(d.outcomes()) > 1 })
		o := d.outcome(1)
		want := approval.Answer{Outcome: 1, Capability: plain().Offers[1].Capability, Span: 1, By: "terminal"}
		if o.Err != "" || o.Answer != want {
			t.Errorf("lines %v: got %+v", lines, o)
		}
		if !lines {
			d.same(before)
		} else if d.modes() != before.modes {
			t.Error("other modes than before")
		}
	}
}

// TestDecline: each way to say no, one after the other on one terminal.
func TestDecline(t *testing.T) {
	d := sit(t, play{}, 40, 10)
	d.sees("launcher ready")
	before := d.settled()
	for i, k := range []string{"n", "\x1b", "\x03", "\x1b[99;5u"} {
		d.asks()
		d.again(k, func() bool { return len(d.outcomes()) > i+1 })
		o := d.outcome(i + 1)
		if o.Err != "" || o.Answer != (approval.Answer{By: "terminal"}) || (o.Interrupted == 1) != (i > 1) {
			t.Errorf("%q: got %+v", k, o)
		}
		d.same(before)
	}
}

// TestTypeAhead: what was typed before the question could be read, and what
// arrives in one piece, answers nothing.
func TestTypeAhead(t *testing.T) {
	for range 20 {
		if typesAhead(t) {
			return
		}
	}
	t.Fatal("this machine is too busy to press keys one soon after the other")
}

// typesAhead reports whether it could press the keys as quickly as it has to.
func typesAhead(t *testing.T) bool {
	t.Helper()
	d := sit(t, play{}, 80, 24)
	d.sees("launcher ready")
	raw := strings.ReplaceAll("s\ra\ro\ryes\r", "\r", "\r\n")
	d.types(raw) // to the program, before
	if err := unix.Kill(d.cmd.Process.Pid, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	d.sees(foot)
	last := time.Now()
	for range 10 {
		for _, key := range []string{"s", "\r"} { // it has not been there long enough, and they keep coming
			if time.Since(last) > 200*time.Millisecond { // but for this machine they would
				return false
			}
			d.types(key)
			last = time.Now()
			time.Sleep(40 * time.Millisecond)
		}
	}
	time.Sleep(400 * time.Millisecond)
	together := func() bool { return strings.Contains(d.vt.text(), "keys that arrive together do not count") }
	for _, paste := range []string{"s\r", "yes\r", "\x1b[200~s\r\x1b[201~", "\x1b]ls\r\x1b\\s\r"} {
		d.again(paste, together)
		time.Sleep(400 * time.Millisecond)
	}
	// A title that a program has asked for, with an answer in it.
	d.types("\x1b]l\rs\r\a")
	time.Sleep(400 * time.Millisecond)
	if got := d.outcomes(); len(got) > 1 {
		t.Fatalf("answered: %+v", got[1:])
	}
	if !strings.Contains(d.vt.text(), "> n  No") {
		t.Errorf("something is chosen:\n%s", d.vt.text())
	}
	d.answers("s")
	if o := d.outcome(1); o.Answer.Outcome != 1 {
		t.Errorf("got %+v", o)
	}
	return true
}

func TestHostileNames(t *testing.T) {
	d := sit(t, play{Hostile: true}, 80, 24)
	d.sees("launcher ready")
	before := d.settled()
	d.asks()
	text := d.vt.text()
	for _, want := range []string{"ambit asks: may this program do that?", `\x0aWants to re`, `/the-end.txt`, `last word`, "> n  No", foot} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\nWants to") + strings.Count(text, "\nCareful"); n != 1 {
		t.Errorf("%d lines look like ours:\n%s", n, text)
	}
	d.again("n", func() bool { return len(d.outcomes()) > 1 })
	d.same(before)
	if d.vt.bells > 0 {
		t.Error("it rang")
	}
}

// TestContextEnds: another front has answered.
func TestContextEnds(t *testing.T) {
	for _, lines := range []bool{false, true} {
		end := filepath.Join(t.TempDir(), "end")
		d := sit(t, play{End: end, Lines: lines}, 80, 24)
		d.sees("launcher ready")
		before := d.settled()
		d.asks()
		d.again("s", func() bool { // chosen, not answered
			return strings.Contains(d.vt.text(), "> s  Yes") || strings.Contains(d.vt.text(), "Answer   Yes, for this session")
		})
		if err := os.WriteFile(end, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		o := d.outcome(1)
		if o.Err != "context canceled" || o.Answer != (approval.Answer{}) {
			t.Errorf("got %+v", o)
		}
		if !lines {
			d.same(before)
		} else if d.modes() != before.modes {
			t.Error("other modes than before")
		}
	}
}

func TestPanic(t *testing.T) {
	panics := filepath.Join(t.TempDir(), "panic")
	d := sit(t, play{Panic: panics, Program: []string{"sleep", "100"}}, 80, 24)
	d.sees("launcher ready")
	before := d.settled()
	d.asks()
	if err := os.WriteFile(panics, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := d.outcome(1); !strings.Contains(o.Err, "in the middle") || o.Answer != (approval.Answer{}) {
		t.Errorf("got %+v", o)
	}
	d.same(before)
	for _, pid := range children(d.cmd.Process.Pid) {
		if stateOf(pid) == 'T' {
			t.Error("the program is still stopped")
		}
	}
}

func TestCannotPause(t *testing.T) {
	d := sit(t, play{Unpaus: true}, 80, 24)
	d.sees("launcher ready")
	before := d.settled()
	if err := unix.Kill(d.cmd.Process.Pid, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if o := d.outcome(1); o.Err == "" || o.Answer != (approval.Answer{}) {
		t.Errorf("got %+v", o)
	}
	d.same(before)
}

// TestHangUp: the terminal goes away.
func TestHangUp(t *testing.T) {
	d := sit(t, play{}, 80, 24)
	d.asks()
	d.types("a")
	_ = d.slave.Close()
	_ = d.master.Close()
	if o := d.outcome(1); o.Err == "" || o.Answer != (approval.Answer{}) {
		t.Errorf("got %+v", o)
	}
}

func TestToldToEnd(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		d := sit(t, play{}, 80, 24)
		d.sees("launcher ready")
		before := d.settled()
		d.asks()
		if err := unix.Kill(d.cmd.Process.Pid, sig); err != nil {
			t.Fatal(err)
		}
		if o := d.outcome(1); o.Err == "" || o.Answer != (approval.Answer{}) {
			t.Errorf("%s: got %+v", sig, o)
		}
		d.same(before)
	}
}

// TestResize: the question follows the size of the terminal.
func TestResize(t *testing.T) {
	d := sit(t, play{}, 80, 24)
	d.asks()
	if err := d.resize(60, 8); err != nil {
		t.Fatal(err)
	}
	d.sees("too small to show")
	d.types("a", "\r", "\r")
	if err := d.resize(70, 20); err != nil {
		t.Fatal(err)
	}
	d.sees("> n  No")
	if got := d.outcomes(); len(got) > 1 {
		t.Errorf("answered: %+v", got[1])
	}
}
