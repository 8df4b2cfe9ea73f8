package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
	"ambit.dev/ambit/internal/enforce/process"
)

// tierAuto is the tier that the kind of a pack asks for.
const tierAuto = "auto"

// A tierRow is one tier that this version has.
type tierRow struct {
	name   string // what plans promise
	kernel bool   // what runs inside has a kernel of its own; auto may take it for an agent
	named  bool   // only a launch that names it may have it
	// lacking says why this machine or this installation does not have it; nil: it
	// has. It is asked only where the tier is wanted.
	lacking func() error
	// make makes the tier of one launch.
	make func(enforce.Asker, enforce.Networker) enforce.Tier
}

// tiers are the tiers, in the order in which auto looks for one.
func tiers(a *app) []tierRow {
	return []tierRow{
		{name: enforce.TierProcess, lacking: func() error { return nil }, make: func(a enforce.Asker, n enforce.Networker) enforce.Tier { return process.Tier{Asker: a, Networker: n} }},
		gvisorTier(),
		a.machineRow(enforce.TierMicroVM, machine.KVM),
		a.machineRow(enforce.TierEmulated, machine.TCG),
	}
}

// tierNames are what --tier takes.
func tierNames() []string {
	names := []string{tierAuto}
	for _, r := range tiers(nil) { // their names do not depend on who asks
		names = append(names, r.name)
	}
	return names
}

// tierNamed finds a tier of this version.
func tierNamed(name string) (tierRow, error) {
	return tierOf(tiers(nil), name)
}

func tierOf(all []tierRow, name string) (tierRow, error) {
	i := slices.IndexFunc(all, func(r tierRow) bool { return r.name == name })
	if i < 0 {
		return tierRow{}, fmt.Errorf("tier %q: this version has %s", name, strings.Join(tierNames(), ", "))
	}
	return all[i], nil
}

// chooseTier is the tier of a launch: the one that was named, else what the kind
// of the pack needs, as far as this machine has it. Nothing steps down: where it
// does not, the launch is refused with the reasons.
func chooseTier(all []tierRow, k manifest.Kind, named string) (tierRow, error) {
	switch k {
	case manifest.CLITool, manifest.MCPTool, manifest.HeadlessApp, manifest.Agent:
	case manifest.DesktopApp, manifest.SystemService:
		return tierRow{}, fmt.Errorf("kind %q needs what no tier has here; this version runs cli-tool, mcp-tool, headless-app and agent", k)
	default:
		return tierRow{}, fmt.Errorf("kind %q is not known", k)
	}
	if named != tierAuto {
		r, err := tierOf(all, named)
		if err != nil {
			return r, err
		}
		if err := r.lacking(); err != nil {
			return r, fmt.Errorf("the %s tier cannot be had here: %w", r.name, err)
		}
		return r, nil
	}
	if k != manifest.Agent {
		return tierOf(all, enforce.TierProcess)
	}
	reasons := []error{fmt.Errorf("code of kind %q needs a tier with a kernel of its own, and none can be had here; --tier process accepts the weaker one", k)}
	for _, r := range all {
		if !r.kernel || r.named {
			continue
		}
		err := r.lacking()
		if err == nil {
			return r, nil
		}
		reasons = append(reasons, fmt.Errorf("%s: %w", r.name, err))
	}
	return tierRow{}, errors.Join(reasons...)
}
