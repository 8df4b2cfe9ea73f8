package trap_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/trap"
)

// repeat is a client that does one thing many times, and prints how long it
// took. A path may say with %d that each time has a name of its own.
func repeat(what, path, times string) {
	n, err := strconv.Atoi(times)
	must(err)
	begin := time.Now()
	for i := range n {
		p := path
		if strings.Contains(p, "%d") {
			p = fmt.Sprintf(path, i)
		}
		_, _ = act(what, p)
	}
	fmt.Println(time.Since(begin).Nanoseconds())
	os.Exit(0)
}

// measure has a client repeat something b.N times, and reports its own time.
func (v *view) measure(b *testing.B, what, path string) {
	b.Helper()
	out := v.wait(v.startCommand(copyOf("bench", what, path, strconv.Itoa(b.N))))
	ns, err := strconv.ParseFloat(out[0], 64)
	if err != nil {
		b.Fatalf("%q", out)
	}
	b.ReportMetric(ns/float64(b.N), "ns/op")
}

// BenchmarkAbsent looks at a name that is not there: each time a request, as
// absent names are not kept.
func BenchmarkAbsent(b *testing.B) {
	v := newView(b, trap.Config{Quiet: []string{"/usr"}})
	for name, path := range map[string]string{"host": v.host + "/absent", "view": v.dir + v.host + "/absent", "quiet": v.dir + "/usr"} {
		b.Run(name, func(b *testing.B) { v.measure(b, "stat", path) })
	}
}

// BenchmarkNewName looks for the first time at names that are there.
func BenchmarkNewName(b *testing.B) {
	v := newView(b, trap.Config{})
	for i := range b.N {
		must(os.Symlink("x", fmt.Sprintf("%s/%d", v.host, i)))
	}
	v.measure(b, "cached", v.dir+v.host+"/%d")
}

// BenchmarkTouch opens what was not granted: refused each time, and attached,
// each time another file.
func BenchmarkTouch(b *testing.B) {
	b.Run("refused", func(b *testing.B) {
		v := newView(b, trap.Config{Touch: func(context.Context, trap.Touched) unix.Errno { return unix.EACCES }})
		must(os.WriteFile(v.host+"/file", nil, 0o644))
		v.measure(b, "opened", v.dir+v.host+"/file")
	})
	b.Run("attached", func(b *testing.B) {
		v := newAsking(b, func(v *view, _ context.Context, o trap.Touched) unix.Errno { return v.attach(o) })
		for i := range b.N {
			must(os.WriteFile(fmt.Sprintf("%s/%d", v.host, i), nil, 0o644))
		}
		v.measure(b, "opened", v.dir+v.host+"/%d")
	})
	b.Run("second", func(b *testing.B) {
		v := newAsking(b, func(v *view, _ context.Context, o trap.Touched) unix.Errno { return v.attach(o) })
		must(os.WriteFile(v.host+"/file", nil, 0o644))
		v.measure(b, "opened", v.dir+v.host+"/file")
	})
}
