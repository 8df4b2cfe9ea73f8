package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// host is what the numbers depend on.
type host struct {
	Kernel, CPU, Load, User string
	CPUs                    int
}

func readHost() host {
	h := host{CPUs: runtime.NumCPU(), User: "an ordinary user"}
	if os.Getuid() == 0 {
		h.User = "root"
	}
	read := func(name string) string {
		text, _ := os.ReadFile(name)
		return strings.TrimSpace(string(text))
	}
	h.Kernel = read("/proc/sys/kernel/osrelease")
	h.Load, _, _ = strings.Cut(read("/proc/loadavg"), " ")
	for line := range strings.Lines(read("/proc/cpuinfo")) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			h.CPU = strings.TrimSpace(value)
			break
		}
	}
	return h
}

// The targets that are judged.
const (
	startTarget   = 1.5  // × bubblewrap
	treeTarget    = 1.10 // × the same in a small folder
	manyTarget    = 2.0  // × bubblewrap
	memoryTarget  = 12.0 // MB
	jobTarget     = 1.15 // × plain
	walkTarget    = 1.3  // × plain, in a view that asks: jobs that look at many files
	toolTarget    = 1.1  // × plain, in a view that asks: ordinary tools
	firstTarget   = 500  // µs, without the answer
	secondTarget  = 1.1  // × a fixed view: as if nothing had been asked
	groupTarget   = 10_000.0
	durableTarget = time.Millisecond
	verifyTarget  = 10 * time.Second
)

// verdict is one number beside its target.
type verdict struct {
	What, Number, Target string
	Met                  bool
}

func ratio(a, b time.Duration) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func times(r float64) string {
	if r == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f×", r)
}

func ms(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
}

// verdicts judges Ambit's medians. What was not measured is not in it.
func (r *results) verdicts() (all []verdict) {
	add := func(what, number, target string, met bool) { all = append(all, verdict{what, number, target, met}) }
	atMost := func(what string, got, limit float64, of string) {
		if got > 0 {
			add(what, times(got), fmt.Sprintf("≤ %.2f× %s", limit, of), got <= limit)
		}
	}
	ours, bwrap := r.Start["ambit"], r.Start["bubblewrap"]
	atMost("start to exit of `/bin/true`, audit on, three grants", ratio(ours.median(), bwrap.median()), startTarget, "bubblewrap")
	atMost("the same with a folder of 20,000 files granted", ratio(r.InTree["ambit"].median(), ours.median()), treeTarget, "a small folder")
	if m, ok := r.Many["ambit"]; ok {
		atMost("100 at once", ratio(m.Wall.median(), r.Many["bubblewrap"].Wall.median()), manyTarget, "bubblewrap")
		add("100 at once: failed", fmt.Sprint(m.Failed), "0", m.Failed == 0)
		add("100 at once: processes left over", fmt.Sprint(m.Orphans), "0", m.Orphans == 0)
		add("programs that outlive a killed launcher, of 10", fmt.Sprint(m.Survived), "0", m.Survived == 0)
	}
	if m, ok := r.Memory["ambit"]; ok && m.PSS >= 0 {
		mb := float64(m.PSS) / 1e6
		add("memory of one sandbox's supervisors (PSS)", fmt.Sprintf("%.1f MB", mb), fmt.Sprintf("≤ %.0f MB", memoryTarget), mb <= memoryTarget)
	}
	for _, name := range r.jobNames() {
		if len(r.Jobs[name]["ambit"]) == 0 && r.has("ambit") {
			add(name, "fails", fmt.Sprintf("≤ %.2f× plain", jobTarget), false)
			continue
		}
		atMost(name, ratio(r.Jobs[name]["ambit"].median(), r.Jobs[name]["plain"].median()), jobTarget, "plain")
	}
	all = append(all, r.networkVerdicts()...)
	all = append(all, r.openedVerdicts()...)
	all = append(all, r.askingVerdicts()...)
	all = append(all, r.tierVerdicts()...)
	all = append(all, r.hostVerdicts()...)
	if len(r.Audit.Durable) > 0 {
		d := r.Audit.Durable.median()
		add("audit: one durable record", fmt.Sprintf("%.2f ms", float64(d)/1e6), "≤ 1 ms", d <= durableTarget)
	}
	if len(r.Audit.Grouped) > 0 {
		rate := slices.Sorted(slices.Values(r.Audit.Grouped))[len(r.Audit.Grouped)/2]
		add("audit: records in groups", fmt.Sprintf("%.0f a second", rate), "≥ 10,000 a second", rate >= groupTarget)
	}
	if r.Audit.Verify > 0 {
		add("audit: verify 1,000,000 records", fmt.Sprintf("%.1f s", r.Audit.Verify.Seconds()), "< 10 s", r.Audit.Verify < verifyTarget)
	}
	return all
}

func (r *results) has(name string) bool {
	return slices.ContainsFunc(r.Peers, func(one peer) bool { return one.Name == name })
}

// jobNames are those that were measured, in the order of allJobs.
func (r *results) jobNames() (names []string) {
	for _, j := range (&place{}).allJobs() {
		if _, ok := r.Jobs[j.Name]; ok {
			names = append(names, j.Name)
		}
	}
	return names
}

// versions are of those that were measured, with their names.
func (r *results) versions() (all []string) {
	for _, one := range r.Peers {
		if one.Version != "" {
			all = append(all, one.Name+" "+one.Version)
		}
	}
	for _, n := range r.Networks {
		if n.Version != "" && n.Name != "ambit" {
			all = append(all, n.Name+" "+n.Version)
		}
	}
	return all
}

// markdown is the whole report.
func (r *results) markdown() string {
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	table := func(head ...string) {
		p("| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat(" --- |", len(head)))
	}
	row := func(cells ...string) { p("| %s |\n", strings.Join(cells, " | ")) }

	p("# What Ambit costs\n\nMade by `make bench`; do not edit. Measured beside other sandboxes on one host, in one run, interleaved: trust the ratios, not the milliseconds.\n\n")
	p("Host: %d × %s, Linux %s, load %s at the start, as %s; %d rounds (starts: %d) in %s.\n", r.Host.CPUs, r.Host.CPU, r.Host.Kernel, r.Host.Load, r.Host.User, r.Rounds, max(r.Rounds, leastStarts), r.Took)
	p("With %s.", strings.Join(r.versions(), ", "))
	for _, left := range r.Left {
		p(" Left out: %s.", left)
	}
	for _, skipped := range r.Skipped {
		p(" Left out for lack of time: %s.", skipped)
	}
	p("\n")

	if v := r.verdicts(); len(v) > 0 {
		p("\n## Against the targets\n\nMedians.\n\n")
		table("what", "measured", "target", "")
		for _, one := range v {
			met := "met"
			if !one.Met {
				met = "**not met**"
			}
			row(one.What, one.Number, one.Target, met)
		}
	}
	r.startTables(p, table, row)
	r.jobTable(p, table, row)
	r.networkTables(p, table, row)
	r.openedTables(p, table, row)
	b.WriteString(r.askingMarkdown())
	b.WriteString(r.tierMarkdown())
	b.WriteString(r.hostMarkdown())
	if r.Audit.Problem != "" {
		p("\nThe audit log was not measured: its benchmarks failed.\n")
	}
	return b.String()
}

// save writes the page and its charts. A run of only some parts keeps the
// charts of the others and replaces the page.
func (r *results) save(dir, text string) error {
	files := map[string]string{"README.md": text}
	if len(r.Start) > 0 {
		files["start.svg"] = r.startChart()
	}
	if len(r.Jobs) > 0 {
		files["jobs.svg"] = r.jobsChart()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
