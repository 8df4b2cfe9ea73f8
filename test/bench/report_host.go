package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// hostVerdicts judges a host.
func (r *results) hostVerdicts() (all []verdict) {
	n := r.Host200
	add := func(what, number, target string, met bool) {
		all = append(all, verdict{"host: " + what, number, target, met})
	}
	if len(n.ByAPI) > 0 && len(n.ByCommand) > 0 {
		got := ratio(n.ByAPI.median(), n.ByCommand.median())
		add("a program's first instruction, of a session by the API", times(got), fmt.Sprintf("≤ %.2f× the command line", hostCreateTarget), got <= hostCreateTarget)
	}
	if n.Memory > 0 {
		mb := float64(n.Memory) / 1e6
		add(fmt.Sprintf("memory of its process with %d sessions (PSS)", hostSessions), fmt.Sprintf("%.1f MB", mb), fmt.Sprintf("≤ %.0f MB", hostMemoryTarget), mb <= hostMemoryTarget)
	}
	if len(n.Reads) > 0 {
		worst := hostReads[0].Name
		for _, read := range hostReads {
			if n.Reads[read.Name] < n.Reads[worst] {
				worst = read.Name
			}
		}
		add("the slowest of its reads, "+worst, fmt.Sprintf("%.0f a second", n.Reads[worst]), fmt.Sprintf("≥ %d a second", hostReadsTarget), n.Reads[worst] >= hostReadsTarget)
	}
	if n.Restart > 0 {
		add(fmt.Sprintf("kill -9 with %d sessions, until it tells of all", hostSessions), fmt.Sprintf("%.2f s, %d lost", n.Restart.Seconds(), n.Lost), "< 2 s, 0 lost", n.Restart < hostRestartTarget && n.Lost == 0)
	}
	if len(n.Filters) > 0 {
		worst := time.Duration(0)
		for _, took := range n.Filters {
			worst = max(worst, took)
		}
		add("a filter of 1,000,000 records", fmt.Sprintf("%.2f s", worst.Seconds()), "< 1 s", worst < hostFilterTarget)
	}
	return all
}

// hostMarkdown is the part of the report about `ambit serve`.
func (r *results) hostMarkdown() string {
	n := r.Host200
	if len(n.ByAPI) == 0 && n.Problem == "" {
		return ""
	}
	var b strings.Builder
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	p("\n## The host\n\n`ambit serve` on its socket, spoken to in JSON by eight clients at once. Medians, in brackets the best.\n\n| what | |\n| --- | --- |\n")
	row := func(what, format string, a ...any) { p("| %s | %s |\n", what, fmt.Sprintf(format, a...)) }
	took := func(what string, s samples) {
		if len(s) > 0 {
			row(what, "%s ms (%s)", ms(s.median()), ms(s.min()))
		}
	}
	took("from the request to a program's first instruction", n.ByAPI)
	took("the same by `ambit run`", n.ByCommand)
	if n.Memory > 0 {
		row(fmt.Sprintf("%d sessions, eight at once, until they ran", hostSessions), "%.1f s", n.Began.Seconds())
		row("memory of the host with them (PSS)", "%.1f MB", float64(n.Memory)/1e6)
		row("of the store's process", "%.1f MB", float64(n.Beside)/1e6)
		row("of all sessions: keepers, launchers, sandboxes", "%.1f MB, %.1f MB each", float64(n.Sessions)/1e6, float64(n.Sessions)/1e6/hostSessions)
	}
	for _, read := range hostReads {
		if rate := n.Reads[read.Name]; rate > 0 {
			row("`"+read.Name+"`", "%.0f a second", rate)
		}
	}
	if n.Restart > 0 {
		row("after kill -9 until it told of all sessions", "%.2f s, %d lost", n.Restart.Seconds(), n.Lost)
	}
	if n.Asked > 0 {
		row(fmt.Sprintf("%d first touches, until all waited", hostQuestions), "%.1f s", n.Asked.Seconds())
	}
	took("all of them in one page", n.List)
	took("all of them by a stream", n.Watch)
	took("from an answer until a stream says that it is over", n.Answer)
	for _, name := range slices.Sorted(maps.Keys(n.Filters)) {
		row("of a million records: "+name, "%s ms", ms(n.Filters[name]))
	}
	if n.Problem != "" {
		p("\nThe filters could not be measured.\n")
	}
	return b.String()
}
