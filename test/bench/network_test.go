package main

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// measured is a network that meets every target by the least.
func measured() *results {
	r := &results{Traffic: map[string]*traffic{
		"plain":       {Up: []float64{30}, Down: []float64{30}, Connect: samples{100e3}, Request: samples{50e3}},
		"ambit":       {Up: []float64{9}, Down: []float64{8}, Connect: samples{800e3}, Request: samples{200e3}, Lookup: samples{60e3}, PSS: 9e6},
		"slirp4netns": {Up: []float64{9}, Down: []float64{8}},
		"pasta":       {Up: []float64{9}, Down: []float64{8}},
	}}
	for _, name := range []string{"plain", "ambit", "slirp4netns", "pasta"} {
		r.Networks = append(r.Networks, network{Name: name})
	}
	return r
}

func TestNetworkVerdicts(t *testing.T) {
	if all := measured().networkVerdicts(); len(all) != 6 {
		t.Errorf("got %d verdicts, want 6: %v", len(all), all)
	}
	for name, tc := range map[string]struct {
		spoil  func(map[string]*traffic)
		missed int
	}{
		"none":    {func(map[string]*traffic) {}, 0},
		"up":      {func(m map[string]*traffic) { m["pasta"].Up = []float64{9.1} }, 1},
		"down":    {func(m map[string]*traffic) { m["ambit"].Down = []float64{7.9} }, 2},
		"connect": {func(m map[string]*traffic) { m["ambit"].Connect = samples{801e3} }, 1},
		"request": {func(m map[string]*traffic) { m["plain"].Request = samples{49e3} }, 1},
		"absent":  {func(m map[string]*traffic) { delete(m, "pasta") }, 0},
	} {
		r := measured()
		tc.spoil(r.Traffic)
		missed := 0
		for _, v := range r.networkVerdicts() {
			if !v.Met {
				missed++
			}
		}
		if missed != tc.missed {
			t.Errorf("%s: got %d targets not met, want %d", name, missed, tc.missed)
		}
	}
}

func TestNetworkTables(t *testing.T) {
	r := measured()
	r.Traffic["slirp4netns"] = &traffic{} // nothing was measured
	text := r.markdown()
	if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
		t.Errorf("odd number in:\n%s", text)
	}
	if !strings.Contains(text, "| ambit | 9.00 (9.00) |") || !strings.Contains(text, "| 800 (800) | – | 200 (200) | 60 (60) |") {
		t.Errorf("not all numbers in:\n%s", text)
	}
}

// TestOrders has everything measured toward the far end that measures.
func TestOrders(t *testing.T) {
	t.Setenv("HTTP_PROXY", "")
	f, err := newFar()
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	raw, web := f.ports()
	for _, o := range []order{
		{Op: "ready", To: "127.0.0.1:" + raw},
		{Op: "up", To: "127.0.0.1:" + raw, For: time.Millisecond},
		{Op: "down", To: "127.0.0.1:" + raw, For: time.Millisecond},
		{Op: "connect", To: "localhost:" + raw, Count: 3},
		{Op: "named", To: "localhost:" + raw, Count: 3},
		{Op: "request", To: "127.0.0.1:" + web, Count: 3},
	} {
		got, err := o.do()
		if err != nil {
			t.Errorf("%s: %v", o.Op, err)
		}
		if len(got.Took) != o.Count || o.For > 0 && got.Bytes == 0 {
			t.Errorf("%s: got %+v", o.Op, got)
		}
	}
	if _, err := (order{Op: "sideways"}).do(); err == nil {
		t.Error("an order that nobody knows was done")
	}
}

func TestQuestion(t *testing.T) {
	got := hex.EncodeToString(question(0x1234, "a.test"))
	if want := "12340100000100000000000001610474657374" + "0000010001"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
