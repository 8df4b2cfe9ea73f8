package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/gvisor"
	"ambit.dev/ambit/internal/enforce/probe"
)

// runscProgram is the second kernel of the gVisor tier, beside this program. One
// on PATH is another version, and somebody else's choice.
const runscProgram = "ambit-runsc"

// gvisorTier is the row of the gVisor tier.
func gvisorTier() tierRow {
	return tierRow{name: enforce.TierGVisor, kernel: true, lacking: lacksRunsc, make: func(a enforce.Asker, n enforce.Networker) enforce.Tier {
		path, _ := runscPath()                     // lacking has found it
		guest, _ := start.Path(enforce.OwnProgram) // without it nothing is done to files
		return gvisor.Tier{Program: path, Guest: guest, Version: version, Asker: a, Networker: n}
	}}
}

// runscPath is where ambit-runsc lies.
func runscPath() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", runscProgram, err)
	}
	return filepath.Join(filepath.Dir(self), runscProgram), nil
}

// lacksRunsc says why there is no second kernel. Whether it is of this version is
// asked by each launch, of the process that the launch rests on.
func lacksRunsc() error {
	path, err := runscPath()
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s; `make build` makes it, and it is installed beside ambit", path)
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not a program", path)
	}
	return nil
}

// gvisorFinding tries the tier: a sandbox of its own, with nothing granted.
func (a *app) gvisorFinding(ctx context.Context, self string) probe.Finding {
	f := probe.Finding{Layer: "gVisor tier", State: probe.Absent, Fix: "`make build`, and install " + runscProgram + " beside ambit"}
	if err := lacksRunsc(); err != nil {
		f.Detail = err.Error()
		return f
	}
	path, _ := runscPath() // lacksRunsc has found it
	out, err := exec.CommandContext(ctx, path, "ours").Output()
	if err != nil {
		f.State, f.Detail = probe.Fails, fmt.Sprintf("%s does not run: %v", path, err)
		return f
	}
	if its := strings.TrimSpace(string(out)); its != version {
		f.State, f.Detail = probe.Fails, fmt.Sprintf("%s is of version %q, and this is %q", path, its, version)
		return f
	}
	f.Fix = ""
	begin := time.Now()
	report, err := a.tryGVisor(ctx, self)
	if err != nil {
		f.State, f.Detail = probe.Fails, err.Error()
		return f
	}
	f.State, f.Detail = probe.Holds, fmt.Sprintf("%s; a sandbox began and ended in %v", report.Tier, time.Since(begin).Round(time.Millisecond))
	return f
}

// tryGVisor runs this program in a sandbox of the tier.
func (a *app) tryGVisor(ctx context.Context, self string) (enforce.Report, error) {
	plan, err := a.scenarioPlan(self, probe.Scenario{Argv: []string{"version"}, Tier: enforce.TierGVisor})
	if err != nil {
		return enforce.Report{}, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return enforce.Report{}, err
	}
	defer null.Close()
	inside, err := gvisorTier().make(nil, nil).Start(ctx, plan, enforce.Stdio{In: null, Out: null, Err: null})
	if err != nil {
		return enforce.Report{}, err
	}
	failed := inside.Release()
	if failed != nil {
		_ = inside.Kill() // it may have ended
	}
	res, err := inside.Wait()
	if err == nil && failed == nil && res.Exit != 0 {
		err = fmt.Errorf("a program that prints its version exited with %d", res.Exit)
	}
	return inside.Report(), errors.Join(failed, err)
}
