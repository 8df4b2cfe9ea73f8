package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// style makes a chart fit a light and a dark page.
const style = `<style>
svg{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;--card:#fff;--ink:#1d1f24;--soft:#62666f;--rule:#e3e1da;--ours:#2f6bd8;--other:#b9bec8;--limit:#d9583b}
@media(prefers-color-scheme:dark){svg{--card:#1c1f25;--ink:#e9e9e6;--soft:#9ca1ab;--rule:#2c3038;--ours:#6ea1ff;--other:#565d69;--limit:#f0805f}}
.card{fill:var(--card);stroke:var(--rule)}text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:15px;font-weight:600}
.rule{stroke:var(--rule)}.other{fill:var(--other)}.ours{fill:var(--ours)}.limit{stroke:var(--limit);stroke-dasharray:4 3;stroke-width:1.5}.limit-text{fill:var(--limit)}
.halo{paint-order:stroke;stroke:var(--card);stroke-width:5px;stroke-linejoin:round}
.min{stroke:var(--ink);stroke-width:2}
</style>`

const chartWidth = 760

// drawing collects the parts of an SVG picture.
type drawing struct{ strings.Builder }

func (d *drawing) add(format string, a ...any) { fmt.Fprintf(&d.Builder, format+"\n", a...) }

func (d *drawing) text(x, y float64, class, anchor, words string) {
	words = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(words)
	d.add(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, words)
}

func (d *drawing) whole(height int, label string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">
%s<rect class="card" x=".5" y=".5" width="%d" height="%d" rx="12"/>
%s</svg>
`, chartWidth, height, chartWidth, height, label, style, chartWidth-1, height-1, d.String())
}

// step is a round distance between the lines of an axis that ends at top.
func step(top float64) float64 {
	size := math.Pow(10, math.Floor(math.Log10(top)))
	for _, s := range []float64{0.1, 0.2, 0.5, 1, 2} {
		if top/(s*size) <= 7 {
			return s * size
		}
	}
	return 5 * size
}

// startChart has a bar for the median of each and a tick at its minimum.
func (r *results) startChart() string {
	var d drawing
	const left, right, top, pitch = 110.0, 40.0, 86.0, 34.0
	bottom := top + pitch*float64(len(r.Peers))
	longest := time.Duration(1)
	for _, one := range r.Peers {
		longest = max(longest, r.Start[one.Name].median())
	}
	limit := float64(longest) / float64(time.Millisecond) * 1.12
	at := func(v float64) float64 { return left + v/limit*(chartWidth-left-right) }
	d.text(22, 32, "title", "start", "Start to exit of /bin/true")
	d.text(22, 52, "soft", "start", "milliseconds; the bar is the median, the tick the minimum; shorter is better")
	for v, by := 0.0, step(limit); v <= limit; v += by {
		d.add(`<line class="rule" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at(v), at(v), top-6, bottom)
		d.text(at(v), bottom+18, "soft", "middle", fmt.Sprintf("%g", math.Round(v*10)/10))
	}
	for i, one := range r.Peers {
		y := top + pitch*float64(i)
		s := r.Start[one.Name]
		median, least := float64(s.median())/1e6, float64(s.min())/1e6
		d.text(left-10, y+17, "", "end", one.Name)
		d.add(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="20" rx="3"/>`, class(one.Name), left, y+2, max(at(median)-left, 1))
		d.add(`<line class="min" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at(least), at(least), y-1, y+25)
	}
	if bwrap := float64(r.Start["bubblewrap"].median()) / 1e6 * startTarget; bwrap > 0 {
		d.add(`<line class="limit" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at(bwrap), at(bwrap), top-6, bottom)
		d.text(at(bwrap)+5, top-8, "limit-text", "start", fmt.Sprintf("target: %g × bubblewrap", startTarget))
	}
	for i, one := range r.Peers {
		median := float64(r.Start[one.Name].median()) / 1e6
		d.text(at(median)+8, top+pitch*float64(i)+17, "soft halo", "start", fmt.Sprintf("%.1f", median))
	}
	return d.whole(int(bottom)+34, "Start to exit of /bin/true, by sandbox")
}

func class(name string) string {
	if name == "ambit" {
		return "ours"
	}
	return "other"
}

// jobsChart has a line for each job and a dot for each sandbox, by its ratio
// to plain.
func (r *results) jobsChart() string {
	var d drawing
	const left, right, top, pitch = 130.0, 40.0, 92.0, 36.0
	names := r.jobNames()
	bottom := top + pitch*float64(len(names))
	low, high := 0.9, 1.3
	for _, name := range names {
		for _, one := range r.Peers {
			if v := ratio(r.Jobs[name][one.Name].median(), r.Jobs[name]["plain"].median()); v > 0 {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	low, high = math.Floor(low*10)/10, math.Ceil(min(high, 3)*10)/10
	at := func(v float64) float64 { return left + (min(v, high)-low)/(high-low)*(chartWidth-left-right) }
	d.text(22, 32, "title", "start", "Jobs, without the start")
	d.text(22, 52, "soft", "start", "median, as a multiple of the same job without a sandbox; further left is better")
	x := left
	shapes := map[string]func(x, y float64){
		"ambit":      func(x, y float64) { d.add(`<circle class="ours" cx="%.1f" cy="%.1f" r="7"/>`, x, y) },
		"bubblewrap": func(x, y float64) { d.add(`<circle class="other" cx="%.1f" cy="%.1f" r="5.5"/>`, x, y) },
		"runc": func(x, y float64) {
			d.add(`<rect class="other" x="%.1f" y="%.1f" width="10" height="10"/>`, x-5, y-5)
		},
		"firejail": func(x, y float64) {
			d.add(`<path class="other" d="M%.1f %.1fl6.5 11h-13z"/>`, x, y-6.5)
		},
	}
	for _, one := range r.Peers {
		if draw := shapes[one.Name]; draw != nil {
			draw(x, 72)
			d.text(x+12, 76.5, "soft", "start", one.Name)
			x += 120
		}
	}
	by := step(high - low)
	for v := math.Ceil(low/by-1e-9) * by; v <= high+1e-9; v += by {
		d.add(`<line class="rule" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at(v), at(v), top, bottom)
		d.text(at(v), bottom+18, "soft", "middle", fmt.Sprintf("%g×", math.Round(v*100)/100))
	}
	d.add(`<line class="limit" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, at(jobTarget), at(jobTarget), top, bottom)
	d.text(at(jobTarget)+5, top+2, "limit-text", "start", fmt.Sprintf("target %g×", jobTarget))
	for i, name := range names {
		y := top + pitch*(float64(i)+0.5)
		d.text(left-14, y+4.5, "", "end", name)
		d.add(`<line class="rule" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/>`, left, float64(chartWidth)-right, y, y)
		for _, one := range slices.Backward(r.Peers) { // ours last, on top
			if v := ratio(r.Jobs[name][one.Name].median(), r.Jobs[name]["plain"].median()); v > 0 && shapes[one.Name] != nil {
				shapes[one.Name](at(v), y)
			}
		}
	}
	return d.whole(int(bottom)+34, "Time of jobs in each sandbox as a multiple of the time without one")
}
