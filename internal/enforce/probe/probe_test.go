package probe_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/probe"
)

// TestMain is also the program that a sandbox starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "attempt" {
		if err := probe.Attempt(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// unconfined is a tier that promises everything and does nothing.
type unconfined struct{ program string } // "": the one of the plan

func (unconfined) Name() string { return "unconfined" }

func (u unconfined) Start(ctx context.Context, p enforce.Plan, io enforce.Stdio) (enforce.Session, error) {
	cmd := exec.CommandContext(ctx, p.Program.Path, p.Program.Argv[1:]...)
	if u.program != "" {
		cmd = exec.CommandContext(ctx, u.program)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.In, io.Out, io.Err
	denials := make(chan enforce.Denial)
	close(denials)
	s := &bare{cmd: cmd, denials: denials}
	return s, cmd.Start()
}

type bare struct {
	cmd     *exec.Cmd
	denials chan enforce.Denial
}

func (s *bare) Report() enforce.Report {
	return enforce.Report{Tier: "unconfined", Layers: []enforce.Layer{{Name: "everything", Promised: true, Holds: true}}}
}
func (s *bare) Release() error                         { return nil }
func (s *bare) Signal(sig os.Signal) error             { return s.cmd.Process.Signal(sig) }
func (s *bare) Kill() error                            { return s.cmd.Process.Kill() }
func (s *bare) PID() int                               { return s.cmd.Process.Pid }
func (*bare) Pause() (func(), error)                   { return func() {}, nil }
func (*bare) Hide(...string) ([][]enforce.Open, error) { return nil, nil }

func (s *bare) Denials() <-chan enforce.Denial { return s.denials }

func (s *bare) Wait() (enforce.Result, error) {
	_ = s.cmd.Wait()
	return enforce.Result{Exit: s.cmd.ProcessState.ExitCode()}, nil
}

// refusing is a tier that cannot start.
type refusing struct{}

func (refusing) Name() string { return "refusing" }
func (refusing) Start(context.Context, enforce.Plan, enforce.Stdio) (enforce.Session, error) {
	return nil, errors.New("a promised layer does not hold")
}

func plain(t *testing.T) func(probe.Scenario) (enforce.Plan, error) {
	t.Helper()
	return func(s probe.Scenario) (enforce.Plan, error) {
		return enforce.Plan{Program: enforce.Program{Path: self(t), Argv: append([]string{"ambit"}, s.Argv...)}}, nil
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func find(t *testing.T, tier enforce.Tier, compile func(probe.Scenario) (enforce.Plan, error)) []probe.Finding {
	t.Helper()
	return probe.Prober{Tier: tier, Compile: compile, Self: []string{self(t), "attempt"}}.Run(t.Context())
}

// Whatever a tier says of itself: where nothing is confined, every attempt gets
// through and every layer fails.
func TestUnconfined(t *testing.T) {
	found := find(t, unconfined{}, plain(t))
	if len(found) != 10 {
		t.Errorf("%d findings, want one for each of 10 layers", len(found))
	}
	for _, f := range found {
		if f.State != probe.Fails || !strings.Contains(f.Detail, "a program could ") || !f.Needed {
			t.Errorf("%s: %s: %s", f.Layer, f.State, f.Detail)
		}
	}
}

// A program that says nothing has tried nothing.
func TestSilentProgram(t *testing.T) {
	for _, f := range find(t, unconfined{program: "/bin/true"}, plain(t)) {
		if f.State != probe.Fails || !strings.Contains(f.Detail, "could not try") {
			t.Errorf("%s: %s: %s", f.Layer, f.State, f.Detail)
		}
	}
}

// A tier that does not start is one finding, with its reason.
func TestRefusingTier(t *testing.T) {
	found := find(t, refusing{}, plain(t))
	want := probe.Finding{Layer: "sandbox", State: probe.Fails, Needed: true, Detail: "a promised layer does not hold"}
	if !slices.Equal(found, []probe.Finding{want}) {
		t.Errorf("got %+v", found)
	}
}

// A plan that cannot be made is the same.
func TestNoPlan(t *testing.T) {
	found := find(t, unconfined{}, func(probe.Scenario) (enforce.Plan, error) { return enforce.Plan{}, errors.New("no Landlock") })
	if len(found) != 1 || found[0].State != probe.Fails || found[0].Detail != "no Landlock" {
		t.Errorf("got %+v", found)
	}
}

// The program must not be talked into mounting things on the host.
func TestMountOnHost(t *testing.T) {
	outside, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{"set":"mount"}`, `{"set":"mount","outside":"` + outside + `"}`, `{"set":"other"}`, `{`} {
		if err := probe.Attempt(text, strings.NewReader(""), os.Stderr); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

// What the settings made one fear gives way to what was tried.
func TestReconcile(t *testing.T) {
	masked := probe.Finding{Layer: "/proc", State: probe.Weaker, Detail: "hidden in part", Fix: "start it otherwise"}
	held := probe.Finding{Layer: "network: there is none", State: probe.Holds, Needed: true}
	refused := probe.Finding{Layer: "sandbox", State: probe.Fails, Needed: true}
	if got := probe.Reconcile([]probe.Finding{masked}, []probe.Finding{held}); got[0].State != probe.Holds || got[0].Fix != "" || got[1] != held {
		t.Errorf("sandboxes start: %+v", got)
	}
	if got := probe.Reconcile([]probe.Finding{masked}, []probe.Finding{refused}); got[0] != masked || got[1] != refused {
		t.Errorf("sandboxes do not start: %+v", got)
	}
}
