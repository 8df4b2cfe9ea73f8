package terminal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/approval/terminal"
)

// The tests start themselves again on a terminal of their own, as a launcher
// that has a program and asks about it when it gets SIGUSR1.

// play is what a launcher is to do.
type play struct {
	Program []string // on the terminal, beside it
	Own     bool     // the program in a process group of its own, in the foreground
	Hostile bool     // which question
	Lines   bool     // by lines
	End     string   // file whose making ends the question's context
	Panic   string   // file whose making is the sign to panic in the middle of it
	Unpaus  bool     // the program cannot be stopped
	Silent  bool     // print nothing of its own
	At      string   // file whose making is the sign to ask, besides SIGUSR1
	Report  string   // file to write outcomes to
}

// outcome is what came of one question.
type outcome struct {
	Answer      approval.Answer
	Err         string
	Interrupted int
}

const playVariable = "AMBIT_TEST_PLAY"

func TestMain(m *testing.M) {
	if text := os.Getenv(playVariable); text != "" {
		var p play
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			panic(err)
		}
		p.run()
		return
	}
	os.Exit(m.Run())
}

func (p play) run() {
	ask := make(chan os.Signal, 1)
	signal.Notify(ask, syscall.SIGUSR1)
	if p.At != "" {
		go func() {
			for {
				if given(p.At) {
					_ = os.Remove(p.At)
					ask <- syscall.SIGUSR1
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
	}
	var program *exec.Cmd
	ended := make(chan struct{})
	if p.Program != nil {
		program = exec.Command(p.Program[0], p.Program[1:]...)
		program.Stdin, program.Stdout, program.Stderr = os.Stdin, os.Stdout, os.Stderr
		program.SysProcAttr = &syscall.SysProcAttr{Foreground: p.Own, Setpgid: p.Own}
		program.Env = os.Environ()
		for i, e := range program.Env {
			if strings.HasPrefix(e, playVariable) {
				program.Env[i] = "X=1"
			}
		}
		if err := program.Start(); err != nil {
			panic(err)
		}
		go func() { _ = program.Wait(); close(ended) }()
	}
	if !p.Silent {
		fmt.Print("launcher ready\n")
	}
	p.note(outcome{Err: "ready"})
	for {
		select {
		case <-ask:
			p.note(p.once(program))
		case <-ended:
			return
		}
	}
}

// given reports whether a sign was given: its file is there.
func given(sign string) bool {
	_, err := os.Stat(sign)
	return err == nil
}

// once asks one question.
func (p play) once(program *exec.Cmd) (o outcome) {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			if given(p.End) {
				end()
			}
		}
	}()
	q := plain()
	if p.Hostile {
		q = hostile()
	}
	q.Asked, q.Expires = time.Now(), time.Now().Add(5*time.Minute)
	front := terminal.New(terminal.Config{
		Pause: func() (func(), error) {
			if p.Unpaus {
				return nil, fmt.Errorf("it does not stop")
			}
			pause(program, syscall.SIGSTOP)
			return func() { pause(program, syscall.SIGCONT) }, nil
		},
		Redraw: func() {
			if program != nil {
				_ = program.Process.Signal(syscall.SIGWINCH)
			}
		},
		Interrupt: func() { o.Interrupted++ },
		Lines:     p.Lines,
		Now: func() time.Time {
			if given(p.Panic) {
				panic("in the middle of it")
			}
			return time.Now()
		},
	})
	defer func() {
		if r := recover(); r != nil {
			o.Err = fmt.Sprint("panic: ", r)
		}
	}()
	a, err := front.Ask(ctx, q)
	o.Answer = a
	if err != nil {
		o.Err = err.Error()
	}
	return o
}

// pause stops the program and everything that it started, and waits for it, or
// lets them go on.
func pause(program *exec.Cmd, sig syscall.Signal) {
	if program == nil {
		return
	}
	all := append([]int{program.Process.Pid}, children(program.Process.Pid)...)
	if sig == syscall.SIGCONT {
		slices.Reverse(all) // a parent must not see its child stopped
	}
	for _, pid := range all {
		_ = unix.Kill(pid, sig)
		for range 1000 {
			if sig == syscall.SIGCONT || stateOf(pid) == 'T' {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func children(pid int) (all []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for f := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(f); err == nil {
			all = append(append(all, n), children(n)...)
		}
	}
	return all
}

func stateOf(pid int) byte {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	if rest == "" {
		return 'T' // gone
	}
	return rest[0]
}

// note appends an outcome to the report.
func (p play) note(o outcome) {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	f, err := os.OpenFile(p.Report, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	if _, err := f.Write(append(text, '\n')); err != nil {
		panic(err)
	}
	_ = f.Close()
}
