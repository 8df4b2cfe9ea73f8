package main

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// auditNumbers come from the benchmarks of the audit package itself.
type auditNumbers struct {
	Durable samples   // one record at a time, until it is on the disk
	Grouped []float64 // records a second, from many goroutines
	Verify  time.Duration
	Problem string
}

func (m *measurer) audit() error {
	for _, run := range [][]string{
		{"-bench=^BenchmarkAppend$", "-benchtime=500x", "-count=7"},
		{"-bench=^BenchmarkAppendTogether$", "-benchtime=20000x", "-count=3"},
		{"-bench=^BenchmarkVerify$/^groups$", "-benchtime=1x"},
	} {
		cmd := exec.Command("go", append([]string{"test", "-run=^$", "-timeout=5m"}, append(run, "./internal/audit")...)...)
		cmd.Dir, cmd.Env = m.root, append(os.Environ(), "CGO_ENABLED=0", "TMPDIR="+m.dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			m.Audit.Problem = strings.TrimSpace(string(out))
			say("  %s", m.Audit.Problem)
			return nil
		}
		m.Audit.read(string(out))
	}
	return nil
}

// read takes the numbers from what `go test -bench` prints.
func (a *auditNumbers) read(out string) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name, _, _ := strings.Cut(f[0], "-")
		value := map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			value[f[i+1]], _ = strconv.ParseFloat(f[i], 64)
		}
		rate := value["records/s"]
		switch name {
		case "BenchmarkAppend":
			each := value["ns/op"]
			if p50, ok := value["p50-ns"]; ok {
				each = p50
			}
			a.Durable = append(a.Durable, time.Duration(each))
		case "BenchmarkAppendTogether":
			a.Grouped = append(a.Grouped, rate)
		case "BenchmarkVerify/groups":
			if rate > 0 {
				a.Verify = time.Duration(1_000_000 / rate * float64(time.Second))
			}
		}
	}
}
