package main

import (
	"fmt"
	"slices"
	"time"
)

// The targets of the network: throughput beside each user-mode network, and what
// connections and requests may take more than plain ones.
const (
	connectTarget = 700 * time.Microsecond
	requestTarget = 150 * time.Microsecond
)

// userMode are the networks whose throughput is to be reached.
var userMode = []string{"slirp4netns", "pasta"}

func middle(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// over is the ratio of two medians, 0 if there is none.
func over(a, b []float64) float64 {
	if middle(b) == 0 {
		return 0
	}
	return middle(a) / middle(b)
}

// networkVerdicts judges Ambit's network.
func (r *results) networkVerdicts() (all []verdict) {
	ours, plain := r.Traffic["ambit"], r.Traffic["plain"]
	if ours == nil || plain == nil {
		return nil
	}
	for _, name := range userMode {
		other := r.Traffic[name]
		if other == nil {
			continue
		}
		for _, one := range []struct {
			way          string
			ours, theirs []float64
		}{{"up", ours.Up, other.Up}, {"down", ours.Down, other.Down}} {
			ratio := over(one.ours, one.theirs)
			all = append(all, verdict{"network: throughput " + one.way, times(ratio), "≥ 1.00× " + name, ratio >= 1})
		}
	}
	for _, one := range []struct {
		what        string
		ours, plain samples
		most        time.Duration
	}{
		{"network: a new connection", ours.Connect, plain.Connect, connectTarget},
		{"network: a request on a kept connection", ours.Request, plain.Request, requestTarget},
	} {
		if len(one.ours) > 0 {
			more := one.ours.median() - one.plain.median()
			all = append(all, verdict{one.what, "+" + us(more) + " µs", "≤ " + us(one.most) + " µs more than plain", more <= one.most})
		}
	}
	return all
}

func us(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/float64(time.Microsecond)) }

// networkTables are the rows of what was found of each network.
func (r *results) networkTables(p func(string, ...any), table, row func(...string)) {
	if len(r.Traffic) == 0 {
		return
	}
	p("\n## The network\n\n")
	p("One program in each network, toward servers on the host's loopback; all networks live at the same time and are measured in turn. Ambit decides about and records each connection, durably; slirp4netns and pasta decide nothing; srt is no network but a proxy that the program has to use. ")
	p("Throughput is one connection; the seconds for a GiB are those on a processor of everything that takes part, both ends included. Medians, in brackets the best.\n\n")
	table("", "up, Gbit/s", "down, Gbit/s", "up, CPU s/GiB", "down, CPU s/GiB", "up × ambit's", "down × ambit's")
	ours := r.Traffic["ambit"]
	for _, n := range r.Networks {
		t := r.Traffic[n.Name]
		cells := []string{n.Name}
		for _, rate := range [][]float64{t.Up, t.Down} {
			cells = append(cells, fmt.Sprintf("%.2f (%.2f)", middle(rate), best(rate, slices.Max[[]float64])))
		}
		for _, cpu := range [][]float64{t.UpCPU, t.DownCPU} {
			cells = append(cells, fmt.Sprintf("%.2f (%.2f)", middle(cpu), best(cpu, slices.Min[[]float64])))
		}
		if ours != nil {
			cells = append(cells, times(over(t.Up, ours.Up)), times(over(t.Down, ours.Down)))
		}
		row(cells...)
	}
	p("\nA connection is timed with its first byte there and back, to an address, or to a name that is looked up for it; a request from its first byte to the answer's last on a connection that is there. The first byte is from the launch to the end of a program that connects once. Memory is that of what carries the packets, after the load.\n\n")
	table("", "connection, µs", "by name, µs", "request, µs", "lookup, µs", "launch with a first byte, ms", "memory (PSS), MB")
	for _, n := range r.Networks {
		t := r.Traffic[n.Name]
		cells := []string{n.Name}
		for _, s := range []samples{t.Connect, t.Named, t.Request, t.Lookup} {
			cell := "–"
			if len(s) > 0 {
				cell = fmt.Sprintf("%s (%s)", us(s.median()), us(s.min()))
			}
			cells = append(cells, cell)
		}
		size := "–"
		if t.PSS > 0 {
			size = fmt.Sprintf("%.1f", float64(t.PSS)/1e6)
		}
		row(append(cells, ms(t.First.median())+" ("+ms(t.First.min())+")", size)...)
	}
}

func best(of []float64, which func([]float64) float64) float64 {
	if len(of) == 0 {
		return 0
	}
	return which(of)
}
