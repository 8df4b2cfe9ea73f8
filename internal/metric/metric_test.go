package metric_test

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/metric"
)

var (
	nameOf   = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	sampleOf = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$`)
)

// grammar reads a text as the format says it is, and fails where it is not: each family
// once, told what it is before its samples, each series once, histograms that grow.
func grammar(t *testing.T, out string) map[string]float64 {
	t.Helper()
	if out != "" && !strings.HasSuffix(out, "\n") {
		t.Error("the last line has no end")
	}
	series, types := map[string]float64{}, map[string]string{}
	family, bucket, last := "", "", 0.0
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if f := strings.SplitN(line, " ", 4); f[0] == "#" {
			switch {
			case len(f) < 3 || !nameOf.MatchString(f[2]):
				t.Errorf("no name: %q", line)
			case f[1] == "TYPE":
				if types[f[2]] != "" {
					t.Errorf("a family twice: %q", line)
				}
				types[f[2]], family = f[3], f[2]
			}
			continue
		}
		m := sampleOf.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("no sample: %q", line)
			continue
		}
		if base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(m[1], "_bucket"), "_sum"), "_count"); m[1] != family && (base != family || types[family] != "histogram") {
			t.Errorf("%q stands in the family %q", line, family)
		}
		n, err := strconv.ParseFloat(m[3], 64)
		if _, twice := series[m[1]+m[2]]; twice || err != nil {
			t.Errorf("a series twice, or no number: %q, %v", line, err)
		}
		series[m[1]+m[2]] = n
		if at := strings.LastIndex(m[2], `le="`); strings.HasSuffix(m[1], "_bucket") {
			if now := m[1] + m[2][:at]; now != bucket {
				bucket, last = now, 0
			}
			if n < last {
				t.Errorf("a bucket has less than the one before: %q", line)
			}
			last = n
		}
		if strings.HasSuffix(m[1], "_count") && n != last {
			t.Errorf("%q, but all buckets have %v", line, last)
		}
	}
	return series
}

func write(t *testing.T, s *metric.Set) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestFormat(t *testing.T) {
	t.Parallel()
	s := &metric.Set{}
	c := s.Counter("ambit_calls_total", "Calls,\nby \\ route.", "route", "code")
	g := s.Gauge("ambit_streams", "Streams that go on.")
	h := s.Histogram("ambit_seconds", "How long.", []float64{0.001, 0.5}, "route")
	s.Sampled("ambit_now", "What is now.", []string{"state"}, func(context.Context) []metric.Sample {
		return []metric.Sample{{[]string{"running"}, 2}, {[]string{"ended"}, 1}, {[]string{"running"}, 3}}
	})
	s.Sampled("ambit_unknown", "What cannot be told.", nil, func(context.Context) []metric.Sample { return nil })
	c.Add(1, "/a", "ok")
	c.Add(2, "/a", "ok")
	c.Add(1, "/\"\\\n\xff", "ok")
	c.Add(1, "/few")
	c.Add(1, "/many", "x", "y")
	g.Add(2)
	g.Add(-1)
	for _, d := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
		h.Took(d, "/a")
	}
	out := write(t, s)
	series := grammar(t, out)
	for name, want := range map[string]float64{
		`ambit_calls_total{route="/a",code="ok"}`:                      3,
		`ambit_calls_total{route="/\"\\\n` + "\ufffd" + `",code="ok"}`: 1,
		`ambit_calls_total{route="/few",code=""}`:                      1,
		`ambit_calls_total{route="/many",code="x"}`:                    1,
		`ambit_streams`: 1,
		`ambit_seconds_bucket{route="/a",le="0.001"}`: 2,
		`ambit_seconds_bucket{route="/a",le="0.5"}`:   2,
		`ambit_seconds_bucket{route="/a",le="+Inf"}`:  3,
		`ambit_seconds_count{route="/a"}`:             3,
		`ambit_seconds_sum{route="/a"}`:               1.001001,
		`ambit_now{state="running"}`:                  5,
		`ambit_now{state="ended"}`:                    1,
	} {
		if got, ok := series[name]; !ok || got != want {
			t.Errorf("%s: %v, %v; want %v in\n%s", name, got, ok, want, out)
		}
	}
	if !strings.Contains(out, "# HELP ambit_calls_total Calls,\\nby \\\\ route.\n# TYPE ambit_calls_total counter\n") || strings.Contains(out, "ambit_unknown") {
		t.Errorf("what they are:\n%s", out)
	}
}

// Whatever labels come, a family stays within its bound, and nothing is lost.
func TestBound(t *testing.T) {
	t.Parallel()
	s := &metric.Set{}
	c, h := s.Counter("c_total", "x", "l"), s.Histogram("h", "x", []float64{1}, "l")
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 1000 {
				c.Add(1, fmt.Sprint(worker, i))
				h.Took(time.Second, fmt.Sprint(worker, i))
			}
		})
	}
	all.Wait()
	series, sum, count := grammar(t, write(t, s)), 0.0, 0.0
	for name, n := range series {
		switch {
		case strings.HasPrefix(name, "c_total"):
			sum += n
		case strings.HasPrefix(name, "h_count"):
			count += n
		}
	}
	if len(series) != 512*5 || sum != 4000 || count != 4000 || series[`c_total{l="other"}`] < 1000 {
		t.Errorf("%d series with %v and %v, %v of them others", len(series), sum, count, series[`c_total{l="other"}`])
	}
}

func FuzzFormat(f *testing.F) {
	f.Add("help", "a", "b")
	f.Add("\n# TYPE x counter\n", "\"} 1\nx ", "\\")
	f.Fuzz(func(t *testing.T, help, one, other string) {
		s := &metric.Set{}
		c := s.Counter("c_total", help, "l")
		c.Add(1, one)
		c.Add(1, other)
		h := s.Histogram("h", help, []float64{1}, "l")
		h.Took(time.Second, one)
		sum := 0.0
		for name, n := range grammar(t, write(t, s)) {
			if strings.HasPrefix(name, "c_total") {
				sum += n
			}
		}
		if sum != 2 {
			t.Errorf("two were counted as %v", sum)
		}
	})
}
