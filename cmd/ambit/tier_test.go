package main

import (
	"errors"
	"testing"

	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
)

// TestChoose: what was named is what is taken, an agent gets a kernel of its own
// or nothing, and every other kind that runs gets the process tier.
func TestChoose(t *testing.T) {
	missing := errors.New("it is missing")
	row := func(name string, lacks error, kernel, named bool) tierRow {
		return tierRow{name: name, kernel: kernel, named: named, lacking: func() error { return lacks }}
	}
	process := row(enforce.TierProcess, nil, false, false)
	emulated := row(enforce.TierEmulated, nil, true, true)
	for name, c := range map[string]struct {
		kind  manifest.Kind
		named string
		rows  []tierRow
		want  string // "": refused
	}{
		"a tool":                           {manifest.CLITool, tierAuto, []tierRow{process, row("a", nil, true, false)}, enforce.TierProcess},
		"a tool, named":                    {manifest.CLITool, "a", []tierRow{process, row("a", nil, true, false)}, "a"},
		"a tool, named and missing":        {manifest.CLITool, "a", []tierRow{process, row("a", missing, true, false)}, ""},
		"named and unknown":                {manifest.CLITool, "b", []tierRow{process}, ""},
		"an agent":                         {manifest.Agent, tierAuto, []tierRow{process, row("a", nil, true, false)}, "a"},
		"an agent, the first one missing":  {manifest.Agent, tierAuto, []tierRow{process, row("a", missing, true, false), row("b", nil, true, false)}, "b"},
		"an agent, nothing there":          {manifest.Agent, tierAuto, []tierRow{process, row("a", missing, true, false)}, ""},
		"an agent takes nothing emulated":  {manifest.Agent, tierAuto, []tierRow{process, emulated}, ""},
		"an agent, the weaker one named":   {manifest.Agent, enforce.TierProcess, []tierRow{process}, enforce.TierProcess},
		"an agent, the emulated one named": {manifest.Agent, enforce.TierEmulated, []tierRow{process, emulated}, enforce.TierEmulated},
		"a desktop":                        {manifest.DesktopApp, enforce.TierProcess, []tierRow{process}, ""},
		"a kind of tomorrow":               {"tomorrow", tierAuto, []tierRow{process}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := chooseTier(c.rows, c.kind, c.named)
			if (err == nil) != (c.want != "") || err == nil && r.name != c.want {
				t.Errorf("got %q %v, want %q", r.name, err, c.want)
			}
		})
	}
}
