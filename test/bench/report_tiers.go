package main

import (
	"fmt"
	"slices"
	"strings"
)

// The targets of the tiers.
const (
	gvisorStartTarget = 200  // ms, start to exit
	gvisorIdleTarget  = 50.0 // MB
	machineTarget     = 500  // ms, from a clone to the first byte
	machineIdleTarget = 30.0 // MB that no other machine has
)

// tierVerdicts judges the tiers that have a kernel of their own.
func (r *results) tierVerdicts() (all []verdict) {
	n := r.Tiers
	within := func(what string, s samples, limit float64) {
		if len(s) > 0 {
			got := float64(s.median()) / 1e6
			all = append(all, verdict{what, fmt.Sprintf("%.0f ms", got), fmt.Sprintf("≤ %.0f ms", limit), got <= limit})
		}
	}
	size := func(what string, bytes int64, limit float64) {
		if bytes > 0 {
			got := float64(bytes) / 1e6
			all = append(all, verdict{what, fmt.Sprintf("%.1f MB", got), fmt.Sprintf("≤ %.0f MB", limit), got <= limit})
		}
	}
	within("gVisor tier: start to exit of `/bin/true`", n.Start[byGVisor], gvisorStartTarget)
	size("gVisor tier: memory of an idle program and all around it (PSS)", n.Memory[byGVisor].PSS, gvisorIdleTarget)
	within("microVM tier, emulated: start to the first byte, from a clone", n.First[byEmulated], machineTarget)
	size("microVM tier, emulated: memory that one has written", n.Memory[byEmulated].Private, machineIdleTarget)
	return all
}

// tierMarkdown is the part of the report about tiers.
func (r *results) tierMarkdown() string {
	n := r.Tiers
	if len(n.Ways) == 0 {
		return ""
	}
	var b strings.Builder
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	b.WriteString("\n## The tiers\n\nThe same program in each tier, and in gVisor's own runtime (runsc, of the version that is in `ambit-runsc`, with its own defaults, and for the network with the host's). ")
	b.WriteString("microvm-emulated is a clone under QEMU's emulator, of an image and a template that are there, with two empty folders granted, which it gets copies of, and no network. Memory is that of an idle shell with all that is around it: where it has another kernel the two cannot be told apart. ")
	fmt.Fprintf(&b, "Throughput is one connection to the host's loopback; jobs look at %d files of up to 3 kB. Medians (starts: of %d), in brackets the best; jobs × plain.\n\n", fewFiles, tierStarts)
	row(slices.Concat([]string{""}, n.Ways)...)
	b.WriteString("|" + strings.Repeat(" --- |", len(n.Ways)+1) + "\n")
	line := func(name string, cell func(way string) string) {
		cells := []string{name}
		for _, way := range n.Ways {
			cells = append(cells, cell(way))
		}
		row(cells...)
	}
	took := func(s samples) string {
		if len(s) == 0 {
			return "–"
		}
		return fmt.Sprintf("%s (%s)", ms(s.median()), ms(s.min()))
	}
	line("start to exit of `/bin/true`, ms", func(way string) string { return took(n.Start[way]) })
	line("start to the first byte of `/bin/echo`, ms", func(way string) string { return took(n.First[way]) })
	line("memory (PSS), MB", func(way string) string { return megabytes(n.Memory[way].PSS) })
	line("memory that it has written alone, MB", func(way string) string { return megabytes(n.Memory[way].Private) })
	for _, direction := range []string{"up", "down"} {
		line("throughput "+direction+", Gbit/s", func(way string) string {
			t := n.Traffic[way]
			if t == nil {
				return "no network"
			}
			rates := t.Up
			if direction == "down" {
				rates = t.Down
			}
			if len(rates) == 0 {
				return "–"
			}
			return fmt.Sprintf("%.2f (%.2f)", middle(rates), slices.Max(rates))
		})
	}
	for _, name := range []string{"find -size", "tar", "grep -r", "python3 import", "30 forks"} {
		if n.Jobs[name] == nil {
			continue
		}
		plain := n.Jobs[name]["plain"]
		line(name, func(way string) string {
			s := n.Jobs[name][way]
			switch {
			case len(s) == 0:
				return "fails"
			case way == "plain":
				return ms(s.median()) + " ms"
			}
			return fmt.Sprintf("%s (%.2f)", times(ratio(s.median(), plain.median())), ratio(s.min(), plain.min()))
		})
	}
	return b.String()
}

func megabytes(bytes int64) string {
	if bytes < 0 {
		return "not readable by this user"
	}
	return fmt.Sprintf("%.1f", float64(bytes)/1e6)
}
