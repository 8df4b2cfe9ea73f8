package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestSamples(t *testing.T) {
	for _, tc := range []struct {
		s           samples
		min, median time.Duration
	}{
		{nil, 0, 0},
		{samples{5}, 5, 5},
		{samples{9, 1, 5}, 1, 5},
		{samples{8, 2, 4, 6}, 2, 5},
	} {
		if min, median := tc.s.min(), tc.s.median(); min != tc.min || median != tc.median {
			t.Errorf("%v: got %d and %d, want %d and %d", tc.s, min, median, tc.min, tc.median)
		}
	}
}

func TestAuditRead(t *testing.T) {
	var a auditNumbers
	a.read(`goos: linux
BenchmarkAppend-2             	     500	    420000 ns/op
BenchmarkAppend               	     500	    900000 ns/op	    400000 p50-ns
BenchmarkAppendTogether-2     	   20000	     13000 ns/op	     77000 records/s
BenchmarkVerify/groups-2      	       1	4000000000 ns/op	    250000 records/s
PASS
`)
	if len(a.Durable) != 2 || a.Durable.median() != 410*time.Microsecond {
		t.Errorf("durable: got %v", a.Durable)
	}
	if len(a.Grouped) != 1 || a.Grouped[0] != 77000 {
		t.Errorf("grouped: got %v", a.Grouped)
	}
	if a.Verify != 4*time.Second {
		t.Errorf("verify: got %v, want 4s", a.Verify)
	}
}

func TestAskingRead(t *testing.T) {
	var a askingNumbers
	a.read(`BenchmarkProcessTier/in_a_fixed_view/touches-2   10  1000 ns/op  2.5 µs/first-open  2.4 µs/open
BenchmarkProcessTier/by_a_trap/touches-2  10  1000 ns/op  300.5 µs/first-open  2.5 µs/open
BenchmarkProcessTier/by_a_trap/touches-2  10  1000 ns/op  310.5 µs/first-open  2.7 µs/open
BenchmarkProcessTier/by_a_trap/start-2  10  1000 ns/op
PASS
`)
	if middle(a.First[byTrap]) != 305.5 || middle(a.Second[byTrap]) != 2.6 || middle(a.Second[fixed]) != 2.4 || len(a.First[byNotification]) != 0 {
		t.Errorf("got %+v", a)
	}
}

// good is a run in which every target is met, by the least.
func good() *results {
	return &results{
		Peers:  []peer{{Name: "plain"}, {Name: "ambit"}, {Name: "bubblewrap"}},
		Start:  map[string]samples{"plain": {1e6}, "ambit": {15e6}, "bubblewrap": {10e6}},
		InTree: map[string]samples{"plain": {1e6}, "ambit": {16.5e6}, "bubblewrap": {10e6}},
		Many:   map[string]many{"ambit": {Wall: samples{2e9}}, "bubblewrap": {Wall: samples{1e9}}},
		Memory: map[string]memory{"ambit": {Processes: 1, PSS: 12e6}},
		Jobs:   map[string]map[string]samples{"tar": {"plain": {100e6}, "ambit": {115e6}}},
		Asking: askingNumbers{
			Start: map[string]samples{byTrap: {15e6}, "bubblewrap": {10e6}},
			Jobs: map[string]map[string]samples{
				"tar":      {"plain": {100e6}, byTrap: {130e6}, byNotification: {900e6}},
				"go build": {"plain": {100e6}, byTrap: {110e6}, byNotification: {900e6}},
			},
			First: map[string][]float64{fixed: {2}, byTrap: {500}}, Second: map[string][]float64{fixed: {2}, byTrap: {2.2}},
		},
		Tiers: tierNumbers{
			Ways:   []string{"plain", byGVisor, byEmulated},
			Start:  map[string]samples{"plain": {1e6}, byGVisor: {200e6}, byEmulated: {600e6}},
			First:  map[string]samples{"plain": {1e6}, byGVisor: {190e6}, byEmulated: {500e6}},
			Memory: map[string]memory{byGVisor: {PSS: 50e6, Private: 40e6}, byEmulated: {PSS: 80e6, Private: 30e6}},
		},
		Audit:   auditNumbers{Durable: samples{1e6}, Grouped: []float64{10_000}, Verify: 9 * time.Second},
		Left:    []string{"runc (not here)"},
		Skipped: nil,
	}
}

func TestVerdicts(t *testing.T) {
	if all := good().verdicts(); len(all) != 20 {
		t.Errorf("got %d verdicts, want 20: %v", len(all), all)
	}
	for _, v := range good().verdicts() {
		if !v.Met {
			t.Errorf("%s: %s is not met by %s", v.What, v.Target, v.Number)
		}
	}
	for name, spoil := range map[string]func(*results){
		"start":   func(r *results) { r.Start["bubblewrap"] = samples{9e6} },
		"tree":    func(r *results) { r.InTree["ambit"] = samples{17e6} },
		"many":    func(r *results) { r.Many["bubblewrap"] = many{Wall: samples{9e8}} },
		"orphans": func(r *results) { r.Many["ambit"] = many{Orphans: 1} },
		"memory":  func(r *results) { r.Memory["ambit"] = memory{PSS: 13e6} },
		"job":     func(r *results) { r.Jobs["tar"]["ambit"] = samples{116e6} },
		"no job":  func(r *results) { delete(r.Jobs["tar"], "ambit") },
		"asking":  func(r *results) { r.Asking.Start[byTrap] = samples{16e6} },
		"walk":    func(r *results) { r.Asking.Jobs["tar"][byTrap] = samples{131e6} },
		"tool":    func(r *results) { r.Asking.Jobs["go build"][byTrap] = samples{111e6} },
		"first":   func(r *results) { r.Asking.First[byTrap] = []float64{501} },
		"second":  func(r *results) { r.Asking.Second[byTrap] = []float64{2.3} },
		"gvisor":  func(r *results) { r.Tiers.Start[byGVisor] = samples{201e6} },
		"its":     func(r *results) { r.Tiers.Memory[byGVisor] = memory{PSS: 51e6} },
		"machine": func(r *results) { r.Tiers.First[byEmulated] = samples{501e6} },
		"private": func(r *results) { r.Tiers.Memory[byEmulated] = memory{Private: 31e6} },
		"durable": func(r *results) { r.Audit.Durable = samples{2e6} },
		"grouped": func(r *results) { r.Audit.Grouped = []float64{9_999} },
		"verify":  func(r *results) { r.Audit.Verify = 10 * time.Second },
	} {
		r := good()
		spoil(r)
		missed := 0
		for _, v := range r.verdicts() {
			if !v.Met {
				missed++
			}
		}
		if missed != 1 {
			t.Errorf("%s: got %d targets not met, want 1", name, missed)
		}
	}
}

// Nothing measured is nothing judged, and no number divides by zero.
func TestEmpty(t *testing.T) {
	r := &results{}
	if v := r.verdicts(); len(v) != 0 {
		t.Errorf("got %v, want no verdict", v)
	}
	if text := r.markdown(); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("odd number in:\n%s", text)
	}
}

func TestChartsAreXML(t *testing.T) {
	for name, text := range map[string]string{"start": good().startChart(), "jobs": good().jobsChart()} {
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, text)
			}
		}
	}
}
