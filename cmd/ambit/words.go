package main

import (
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/manifest"
)

// failed reports whether a decision is a failure to decide.
func failed(d decision.Decision) bool {
	return len(d.Reasons) == 0 || d.Reasons[0].Rule == decision.Erred
}

// words puts an explanation in brackets, if there is one.
func words(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// reason is the first reason of a decision, in words.
func reason(d decision.Decision) string {
	if len(d.Reasons) == 0 {
		return "no reason"
	}
	return capability.Printable(d.Reasons[0].Text)
}

// refusal prints the line of a denial that stops the launch.
func (a *app) refusal(r decision.Request, d decision.Decision) {
	fix := ""
	if len(d.Reasons) > 0 && d.Reasons[0].Fix != "" {
		fix = " " + d.Reasons[0].Fix
	}
	printf(a.err, "ambit: denied %s (%s) [%s]%s\n", r.Capability.Display(), reason(d), r.ID, fix)
}

// ungranted tells of what a pack declares and nobody granted: the pack runs
// without it.
func (a *app) ungranted(m manifest.Manifest, r decision.Request, d decision.Decision) {
	if w, ok := m.Declares(r.Capability); a.json || ok && w.Optional {
		return
	}
	a.refusal(r, d)
}
