package main

import (
	"fmt"
	"slices"
	"strings"
)

// askingWays are the columns, in order.
var askingWays = []string{fixed, byTrap, byNotification}

// askingVerdicts judges the view that asks by a trap.
func (r *results) askingVerdicts() (all []verdict) {
	if took, bwrap := r.Asking.Start[byTrap], r.Asking.Start["bubblewrap"]; len(took) > 0 && len(bwrap) > 0 {
		got := ratio(took.median(), bwrap.median())
		all = append(all, verdict{"start to exit of `/bin/true`, in a view that asks", times(got), fmt.Sprintf("≤ %.2f× bubblewrap", startTarget), got <= startTarget})
	}
	for _, name := range r.askingNames() {
		plain, took, target := r.Asking.Jobs[name]["plain"], r.Asking.Jobs[name][byTrap], askingTarget(name)
		if len(plain) == 0 || len(took) == 0 {
			continue
		}
		got := ratio(took.median(), plain.median())
		all = append(all, verdict{name + ", in a view that asks", times(got), fmt.Sprintf("≤ %.2f× plain", target), got <= target})
	}
	if first := middle(r.Asking.First[byTrap]); first > 0 {
		all = append(all, verdict{"first touch, without the answer", fmt.Sprintf("%.2f ms", first/1000), fmt.Sprintf("≤ %.1f ms", firstTarget/1000.0), first <= firstTarget})
	}
	if second, is := middle(r.Asking.Second[byTrap]), middle(r.Asking.Second[fixed]); is > 0 && second > 0 {
		all = append(all, verdict{"second touch", times(second / is), fmt.Sprintf("≤ %.2f× a fixed view", secondTarget), second <= is*secondTarget})
	}
	return all
}

// askingNames are the jobs that were measured, in order.
func (r *results) askingNames() (names []string) {
	for _, j := range (&place{}).askingJobs() {
		if _, ok := r.Asking.Jobs[j.Name]; ok {
			names = append(names, j.Name)
		}
	}
	return names
}

// askingMarkdown is the part of the report about views that ask.
func (r *results) askingMarkdown() string {
	var b strings.Builder
	row := func(cells ...string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	if names := r.askingNames(); len(names) > 0 {
		b.WriteString("\n## In a view that asks\n\nThe same jobs where the first touch of what is hidden is a question (`ambit run --ask`), by a trap and by notification, beside a view that never changes. What the jobs need was granted at the start. Medians: plain in milliseconds, the others × plain; in brackets minimum × minimum.\n\n")
		row(slices.Concat([]string{"", "plain"}, askingWays)...)
		b.WriteString("|" + strings.Repeat(" --- |", len(askingWays)+2) + "\n")
		for _, name := range names {
			plain := r.Asking.Jobs[name]["plain"]
			cells := []string{name, ms(plain.median()) + " ms"}
			for _, way := range askingWays {
				cell := "–"
				if s := r.Asking.Jobs[name][way]; len(s) > 0 {
					cell = fmt.Sprintf("%s (%.2f)", times(ratio(s.median(), plain.median())), ratio(s.min(), plain.min()))
				}
				cells = append(cells, cell)
			}
			row(cells...)
		}
	}
	b.WriteString(r.askingStarts())
	if len(r.Asking.First) > 0 {
		b.WriteString("\n### Touches\n\nMicroseconds of one `open` and `close` in Python: of a hidden file whose touch is answered at once (a hundred of them, and what it takes to attach them), and of the same files again.\n\n")
		row(slices.Concat([]string{""}, askingWays)...)
		b.WriteString("|" + strings.Repeat(" --- |", len(askingWays)+1) + "\n")
		for _, line := range []struct {
			name   string
			values map[string][]float64
		}{{"first touch", r.Asking.First}, {"second touch", r.Asking.Second}} {
			cells := []string{line.name}
			for _, way := range askingWays {
				cell := "–"
				if v := middle(line.values[way]); v > 0 {
					cell = fmt.Sprintf("%.1f", v)
				}
				cells = append(cells, cell)
			}
			row(cells...)
		}
	}
	if r.Asking.Problem != "" {
		b.WriteString("\nTouches were not measured: their benchmark failed.\n")
	}
	return b.String()
}

// askingStarts is the table of starts.
func (r *results) askingStarts() string {
	bwrap := r.Asking.Start["bubblewrap"]
	if len(bwrap) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n### Start, in a view that asks\n\nStart to exit of `/bin/true` where nothing is asked. Milliseconds.\n\n|  | minimum | median | median × bubblewrap |\n| --- | --- | --- | --- |\n")
	for _, way := range slices.Concat(askingWays, []string{"bubblewrap"}) {
		if s := r.Asking.Start[way]; len(s) > 0 {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", way, ms(s.min()), ms(s.median()), times(ratio(s.median(), bwrap.median())))
		}
	}
	return b.String()
}
