package stopping_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/stopping"
)

// What a signal does is a whole process's, and who is stopped tests nothing. So each
// test has a process of its own, which does what it is told by lines and answers each.

const asProcess = "AMBIT_TEST_STOPPING"

// patience is for machines that do much else.
const patience = time.Minute

func TestMain(m *testing.M) {
	switch os.Getenv(asProcess) {
	case "":
		os.Exit(m.Run())
	case "ignoring": // as whoever started it may have left it
		signal.Ignore(syscall.SIGTSTP)
		err := os.Setenv(asProcess, "obeying")
		if err == nil {
			err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	default:
		obey()
	}
}

// obey does what standard input says.
func obey() {
	var asked <-chan struct{}
	var releases []func()
	var giveBack func()
	taken := make(chan os.Signal, 1)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		answer := "done"
		switch in.Text() {
		case "hold":
			var release func()
			asked, release = stopping.Hold()
			releases = append(releases, release)
		case "release the first": // again and again
			releases[0]()
		case "release the last":
			releases[len(releases)-1]()
		case "take":
			var ok bool
			giveBack, ok = stopping.Take(taken)
			answer = strconv.FormatBool(ok)
		case "give back":
			giveBack()
		case "stop":
			stopping.Stop(false)
		case "stop the job":
			stopping.Stop(true)
		case "was asked":
			select {
			case <-asked:
			default:
				answer = "no"
			}
		case "wait until asked":
			answer = waited(asked)
		case "wait until told":
			told := make(chan struct{})
			go func() { <-taken; close(told) }()
			answer = waited(told)
		case "answer":
		default:
			answer = "what is " + in.Text() + "?"
		}
		fmt.Println(answer)
	}
	os.Exit(0)
}

func waited(c <-chan struct{}) string {
	select {
	case <-c:
		return "done"
	case <-time.After(patience):
		return "nothing came"
	}
}

// A process that obeys.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts one, in a job of its own or in that of another. Whoever started the
// job is not in it, so that it can be stopped.
func start(t *testing.T, how string, job *process) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command("/proc/self/exe")}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), asProcess+"="+how), os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if job != nil {
		p.cmd.SysProcAttr.Pgid = job.cmd.Process.Pid
	}
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // it was killed
	})
	p.do("answer")
	return p
}

// say tells it something and waits for no answer.
func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// do has it do something, and answers what it says.
func (p *process) do(line string) string {
	p.t.Helper()
	p.say(line)
	return p.heard(line)
}

func (p *process) heard(line string) string {
	p.t.Helper()
	late := time.AfterFunc(2*patience, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	text, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSuffix(text, "\n")
}

// want has it do something that has one right answer.
func (p *process) want(line, answer string) {
	p.t.Helper()
	if got := p.do(line); got != answer {
		p.t.Fatalf("%s: %s, want %s", line, got, answer)
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// isStopped reads it from the kernel.
func (p *process) isStopped() bool {
	p.t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/stat")
	if err != nil {
		p.t.Fatal(err)
	}
	after := text[bytes.LastIndexByte(text, ')')+1:] // the name may be anything
	return bytes.HasPrefix(after, []byte(" T "))
}

// stops waits until it is stopped, and has it go on.
func (p *process) stops() {
	p.t.Helper()
	for end := time.Now().Add(patience); !p.isStopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatal("it does not stop")
		}
	}
	p.signal(syscall.SIGCONT)
}

// runs makes sure that it is not stopped.
func (p *process) runs() {
	p.t.Helper()
	p.want("answer", "done")
	if p.isStopped() {
		p.t.Fatal("it is stopped")
	}
}

// TestNobodyHolds: the signal does what it does anywhere, before anybody held and
// after.
func TestNobodyHolds(t *testing.T) {
	p := start(t, "obeying", nil)
	p.signal(syscall.SIGTSTP)
	p.stops()
	p.want("hold", "done")
	p.want("release the first", "done")
	p.signal(syscall.SIGTSTP)
	p.stops()
	p.runs()
}

// TestHold: a stop waits for the last holder, who is told that it waits. Afterwards
// nothing waits any more.
func TestHold(t *testing.T) {
	p := start(t, "obeying", nil)
	for range 2 {
		p.want("hold", "done")
		p.want("was asked", "no")
		p.signal(syscall.SIGTSTP)
		p.want("wait until asked", "done")
		p.runs()
		p.say("release the last")
		p.stops()
		if got := p.heard("release the last"); got != "done" {
			t.Fatal(got)
		}
		p.runs()
	}
}

// TestHolders: each counts once, however often it lets go.
func TestHolders(t *testing.T) {
	p := start(t, "obeying", nil)
	p.want("hold", "done")
	p.want("hold", "done")
	p.want("release the first", "done")
	p.want("release the first", "done")
	p.signal(syscall.SIGTSTP)
	p.want("wait until asked", "done")
	p.want("release the first", "done")
	p.runs()
	p.say("release the last")
	p.stops()
	p.heard("release the last")
	p.runs()
}

// TestTake: who takes the signal hears of it, and nobody is stopped or asked to let
// go; given back, it stops again.
func TestTake(t *testing.T) {
	p := start(t, "obeying", nil)
	p.want("hold", "done")
	p.want("take", "true")
	for range 2 {
		p.signal(syscall.SIGTSTP)
		p.want("wait until told", "done")
		p.want("was asked", "no")
		p.runs()
	}
	p.want("release the first", "done")
	p.runs()
	p.want("give back", "done")
	p.signal(syscall.SIGTSTP)
	p.stops()
	p.runs()
}

// TestStop: a stop that is asked for waits as one of the key does; it is of this
// process, or of its whole job.
func TestStop(t *testing.T) {
	p := start(t, "obeying", nil)
	other := start(t, "obeying", p)
	p.want("hold", "done")
	p.want("stop", "done")
	p.want("was asked", "done")
	p.runs()
	p.say("release the last")
	p.stops()
	p.heard("release the last")
	other.runs()

	p.want("hold", "done")
	p.want("stop the job", "done")
	p.runs()
	other.runs()
	p.say("release the last")
	p.stops()
	other.stops()
	p.heard("release the last")
	p.runs()
	other.runs()

	p.say("stop") // nobody holds
	p.stops()
	p.heard("stop")
	other.runs()
}

// TestStopTaken: who has taken the signal stops when it is given back.
func TestStopTaken(t *testing.T) {
	p := start(t, "obeying", nil)
	p.want("take", "true")
	p.want("stop", "done")
	p.runs()
	p.say("give back")
	p.stops()
	p.heard("give back")
	p.runs()
}

// TestIgnored: where whoever started it ignores the signal, so does it, and who
// takes it is told so.
func TestIgnored(t *testing.T) {
	p := start(t, "ignoring", nil)
	p.want("take", "false")
	p.want("give back", "done")
	p.want("hold", "done")
	p.signal(syscall.SIGTSTP)
	p.runs()
	p.want("was asked", "no")
	p.want("release the first", "done")
	p.signal(syscall.SIGTSTP)
	p.runs()
}
