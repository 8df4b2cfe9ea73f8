package audit_test

import (
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/audit"
)

// BenchmarkAppend is one durable record at a time.
func BenchmarkAppend(b *testing.B) {
	l := open(b, b.TempDir(), audit.Options{})
	r := decision(b, 1)
	for b.Loop() {
		if _, err := l.Append(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpenAppend is what a fresh process pays: open a log that has
// 100,000 records, append one durably, close.
func BenchmarkOpenAppend(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, audit.Options{}, 100_000, 1000)
	r := decision(b, 1)
	for b.Loop() {
		l, err := audit.Open(dir, audit.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Append(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
}

// BenchmarkAppendTogether is many goroutines that append one record each.
func BenchmarkAppendTogether(b *testing.B) {
	l := open(b, b.TempDir(), audit.Options{})
	r := decision(b, 1)
	b.SetParallelism(128)
	start := time.Now()
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Append(b.Context(), r); err != nil {
				b.Error(err)
				return
			}
			n.Add(1)
		}
	})
	b.ReportMetric(float64(n.Load())/time.Since(start).Seconds(), "records/s")
}

// BenchmarkVerify checks a million records; per names how many a commit holds.
func BenchmarkVerify(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 20_000
	}
	for _, bc := range []struct {
		name string
		per  int
	}{{"groups", 100}, {"pairs", 2}} {
		b.Run(bc.name, func(b *testing.B) {
			dir := b.TempDir()
			fill(b, dir, audit.Options{}.WithDisk(noSync{audit.OSDisk}), n, bc.per)
			for b.Loop() {
				start := time.Now()
				res, err := audit.Verify(dir, audit.VerifyOptions{})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(res.Records)/time.Since(start).Seconds(), "records/s")
			}
		})
	}
}

// BenchmarkPage looks for what is rare, or not there, among a million records.
func BenchmarkPage(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 20_000
	}
	dir := b.TempDir()
	fill(b, dir, audit.Options{}.WithDisk(noSync{audit.OSDisk}), n, 100)
	for name, q := range map[string]audit.Query{
		"newest":     {},
		"session":    {Hints: []string{audit.HintSession("s-aaaaaaaaaa")}},
		"capability": {Any: audit.AnyCapability("net.connect:nowhere"), Keep: func(audit.Record) bool { return false }},
		"outcome":    {Hints: []string{audit.HintOutcome("ask")}, Keep: func(audit.Record) bool { return false }},
		"time":       {Until: time.Unix(0, 1)},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := audit.Page(dir, 100, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
