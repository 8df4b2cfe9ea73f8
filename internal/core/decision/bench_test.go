package decision_test

import (
	"fmt"
	"testing"

	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/core/manifest"
)

// BenchmarkDecide asks with as many standing grants as a long-used pack has.
func BenchmarkDecide(b *testing.B) {
	in := decision.Input{Manifest: manifest.AdHoc(nil), Now: now}
	for i := range 100 {
		in.Grants = append(in.Grants, given(b, fmt.Sprint(i), grant.Allow, fmt.Sprintf("fs.read:/home/u/project-%d/**/*.go", i)))
	}
	r := decision.Request{Subject: decision.Subject{Principal: "u", Pack: "org.example"}, Capability: must(b, "fs.read:/home/u/project-99/a/b/c.go")}
	for b.Loop() {
		if d := decision.Decide(r, in); d.Outcome != decision.Allow {
			b.Fatal(d)
		}
	}
}
