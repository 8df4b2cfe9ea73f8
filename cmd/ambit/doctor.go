package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/cgroup"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/probe"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/view"
)

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Try on this machine what must fail, and say what holds",
		Long: `Run sandboxes whose programs try to get out, and read this machine's settings.
For each layer it says whether it holds, if not why, and what to do about it.
The exit status is 0 if everything that ambit run promises here holds, else 1.`,
		Example: `  ambit doctor
  ambit doctor --json | jq '.findings[] | select(.state != "holds")'`,
		Args: nothing,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context()) },
	}
}

// attemptWord is the command by which ambit, as the program inside a sandbox of
// the doctor, tries to get out.
const attemptWord = "attempt"

func (a *app) attemptCommand() *cobra.Command {
	return &cobra.Command{
		Use:    attemptWord,
		Short:  "Try what a sandbox must refuse (started by ambit doctor)",
		Hidden: true,
		Args:   exactly(1, "what to try"),
		RunE:   func(_ *cobra.Command, args []string) error { return probe.Attempt(args[0], a.in, a.out) },
	}
}

// diagnosis is what doctor found.
type diagnosis struct {
	Holds    bool            `json:"holds"`
	Findings []probe.Finding `json:"findings"`
}

func (a *app) doctor(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	busy, done := a.busy()
	defer done()
	busy("reading this machine's settings")
	abi, _ := landlock.ABI() // 0 where there is none
	var d diagnosis
	d.Findings = probe.ThisHost(abi, []string{self, attemptWord}).Facts()
	d.Findings = append(d.Findings, cgroups()...)
	p := probe.Prober{Tier: process.Tier{}, Self: []string{self, attemptWord}, Progress: busy,
		Compile: func(s probe.Scenario) (enforce.Plan, error) { return a.scenarioPlan(self, s) }}
	d.Findings = probe.Reconcile(d.Findings, p.Run(ctx))
	busy("trying the gVisor tier")
	d.Findings = append(d.Findings, a.gvisorFinding(ctx, self))
	busy("looking for machines")
	d.Findings = append(d.Findings, a.machineFindings()...)
	busy("reading the state")
	d.Findings = append(d.Findings, a.stateFindings(busy)...)
	done()
	d.Holds = !slices.ContainsFunc(d.Findings, func(f probe.Finding) bool { return f.Needed && f.State == probe.Fails })
	if a.json {
		err = a.printJSON(d)
	} else {
		a.printDiagnosis(d)
	}
	if err == nil && !d.Holds {
		return &exitError{status: 1}
	}
	return err
}

// scenarioPlan compiles a plan as run would: the same facts, the same base
// view, with this program as the one inside.
func (a *app) scenarioPlan(self string, s probe.Scenario) (enforce.Plan, error) {
	w := who()
	b, err := view.Base(w)
	if err != nil {
		return enforce.Plan{}, err
	}
	program, err := view.Executables(self, nil)
	if err != nil {
		return enforce.Plan{}, err
	}
	in := enforce.Input{
		Session: audit.NewID("s"), Tier: s.Tier, Base: b, Objects: map[string][]enforce.Object{}, Executables: program, AdHoc: !s.NoSpawn,
		Home: enforce.HomeNone, Limits: s.Limits,
		Program: enforce.Program{Path: program[0].Path, Argv: append([]string{"ambit"}, s.Argv...), Dir: "/", Env: []string{"PATH=/usr/bin"}},
	}
	if s.Read != "" {
		c, err := capability.ForPath(capability.FSRead, s.Read)
		if err != nil {
			return enforce.Plan{}, err
		}
		if in.Objects[c.String()], err = one(s.Read); err != nil {
			return enforce.Plan{}, err
		}
		in.Effective = append(in.Effective, c)
	}
	return enforce.Compile(in, facts(w, in.Limits))
}

// cgroups says which bounds are kept for the sandbox as a whole, and which only
// for each process.
func cgroups() []probe.Finding {
	f := probe.Finding{Layer: "control groups", State: probe.Holds}
	found, err := cgroup.Find()
	if err != nil {
		f.State, f.Detail = probe.Weaker, err.Error()
		return []probe.Finding{f}
	}
	switch {
	case found.Hybrid():
		f.Detail = "hybrid: version 1 and version 2 are both mounted"
	case found.Unified.Mount != "":
		f.Detail = "version 2"
	case len(found.Legacy) > 0:
		f.Detail = "version 1"
	default:
		f.Detail = "none is mounted"
	}
	var whole, reasons []string
	each := map[string][]string{} // by reason
	for _, name := range []string{"memory", "pids", "cpu"} {
		why, ok := found.Offers(name)
		switch {
		case ok:
			whole = append(whole, name)
			continue
		case each[why] == nil:
			reasons = append(reasons, why)
		}
		each[why] = append(each[why], name)
	}
	if len(whole) > 0 {
		f.Detail += "; limited for the sandbox as a whole: " + strings.Join(whole, ", ")
	}
	for _, why := range reasons {
		f.State = probe.Weaker
		f.Detail += "; only for each process, or not at all: " + strings.Join(each[why], ", ") + " (" + why + ")"
		f.Fix = "have a control group delegated: start it with `systemd-run --user --scope -p Delegate=yes ambit run …`"
	}
	return []probe.Finding{f}
}

// stateFindings look at grants, log and clock.
func (a *app) stateFindings(busy func(string)) []probe.Finding {
	f := probe.Finding{Layer: "state", State: probe.Holds, Needed: true}
	dir, err := a.state()
	if err == nil {
		f.Detail = dir + " can be written"
		err = writable(dir)
	}
	if err != nil {
		f.State, f.Detail = probe.Fails, err.Error()
		f.Fix = "make it writable, or name another with AMBIT_STATE_DIR; nothing is launched that cannot be recorded"
		return []probe.Finding{f}
	}
	return append([]probe.Finding{f}, a.grantsFinding(), a.logFinding(dir, busy), a.clockFinding(dir))
}

func (a *app) grantsFinding() probe.Finding {
	f := probe.Finding{Layer: "grants", State: probe.Holds, Needed: true}
	stored, err := a.storedGrants(context.Background())
	if err != nil {
		f.State, f.Detail = probe.Fails, err.Error()
		f.Fix = "put a copy of ambit.db back, or move it away and grant again"
		return f
	}
	f.Detail = fmt.Sprintf("%d that stand", len(slices.DeleteFunc(stored, func(g grant.Grant) bool { return !a.standing(g) })))
	return f
}

// writable makes a file in dir and takes it away. A folder that is not there is
// made: a run would make it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096)) // a full disk shows at the first byte
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

func (a *app) logFinding(dir string, busy func(string)) probe.Finding {
	f := probe.Finding{Layer: "audit log", State: probe.Holds, Needed: true, Detail: "there is none yet"}
	logDir := filepath.Join(dir, "audit")
	if _, err := os.Stat(filepath.Join(logDir, "head")); errors.Is(err, os.ErrNotExist) {
		return f
	}
	v, err := audit.Verify(logDir, audit.VerifyOptions{Progress: func(records uint64, _ int64) {
		busy(fmt.Sprintf("verifying the log: %d records", records))
	}})
	if err != nil {
		f.State, f.Detail = probe.Fails, err.Error()
		f.Fix = "`ambit audit verify` says more; keep a copy of " + logDir + " and move it away to begin a new log"
		return f
	}
	f.Detail = fmt.Sprintf("verified, %d records", v.Records)
	if v.Lost > 0 {
		f.Detail += fmt.Sprintf("; %d behind them are lost or were cut off, when the machine last stopped", v.Lost)
	}
	return f
}

// clockFinding: a clock that runs backwards makes grants that are over stand
// again, and records that are out of order.
func (a *app) clockFinding(dir string) probe.Finding {
	f := probe.Finding{Layer: "clock", State: probe.Holds, Detail: a.now().Format(time.RFC3339)}
	last, err := audit.Last(filepath.Join(dir, "audit"), 1, func(audit.Record) bool { return true })
	if err != nil || len(last) == 0 {
		return f
	}
	if behind := last[0].Time.Sub(a.now()); behind > time.Minute {
		f.State = probe.Weaker
		f.Detail += fmt.Sprintf(", which is %s before the last record of the log", behind.Round(time.Second))
		f.Fix = "set the clock (timedatectl set-ntp true); grants with an end last longer than they should"
	}
	return f
}

// busy returns a function that tells what is being done, once that takes longer
// than a second and a person is watching, and one that wipes it away.
func (a *app) busy() (tell func(string), done func()) {
	begin, shown := time.Now(), false
	tell = func(what string) {
		if time.Since(begin) > time.Second && term.IsTerminal(int(a.err.Fd())) {
			shown = true
			printf(a.err, "\r\x1b[K%s …", what)
		}
	}
	return tell, func() {
		if shown {
			printf(a.err, "\r\x1b[K")
			shown = false
		}
	}
}

// marks are how states look; the words stand for those without colour.
var marks = map[probe.State]struct{ word, colour string }{
	probe.Holds:  {"holds", "\x1b[32m"},
	probe.Weaker: {"weaker", "\x1b[33m"},
	probe.Fails:  {"FAILS", "\x1b[31m"},
	probe.Absent: {"absent", "\x1b[2m"},
}

func (a *app) printDiagnosis(d diagnosis) {
	coloured := colour(a.out)
	for _, f := range d.Findings {
		m := marks[f.State]
		word := fmt.Sprintf("%-6s", m.word)
		if coloured {
			word = m.colour + word + "\x1b[0m"
		}
		printf(a.out, "%s  %s\n", word, f.Layer)
		if f.Detail != "" {
			printf(a.out, "        %s\n", capability.Printable(f.Detail))
		}
		if f.Fix != "" {
			printf(a.out, "        to change it: %s\n", capability.Printable(f.Fix))
		}
	}
	if d.Holds {
		printf(a.out, "\nThe process tier holds on this machine.\n")
		return
	}
	printf(a.out, "\nThe process tier does NOT hold on this machine; ambit run refuses to start here what it cannot confine.\n")
}
