package main

import (
	"fmt"
	"os"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
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
func (s *prepared) refusal(r decision.Request, d decision.Decision) {
	printf(s.app.err, "%s\n", s.refusalLine(r, d))
}

func (s *prepared) refusalLine(r decision.Request, d decision.Decision) string {
	fix := ""
	if len(d.Reasons) > 0 {
		fix = s.remedy(r, d.Reasons[0])
	}
	if fix != "" {
		fix = " to change it: " + fix
	}
	return fmt.Sprintf("ambit: denied %s (%s) [%s]%s", r.Capability.Display(), reason(d), r.ID, fix)
}

// leads tells of a link that was followed: somebody may have left it there.
func (s *prepared) leads(named, to capability.Capability) {
	if !s.app.json {
		printf(s.app.err, "ambit: %s leads to %s\n", named.Display(), capability.Printable(to.Scope()))
	}
}

// remedy is what the person at this command line can do about a denial.
func (s *prepared) remedy(r decision.Request, why decision.Reason) string {
	for _, g := range s.given {
		if why.Grant == g.ID {
			return "leave out --deny " + shellWord(g.Capability.Display())
		}
	}
	return remedy(r.Capability, string(why.Rule), why.Grant, s.flags.pack)
}

// remedy is the one command that would change a decision, "" if a command
// cannot.
func remedy(c capability.Capability, rule, id, pack string) string {
	switch decision.Rule(rule) {
	case decision.Denied, decision.Allowed:
		return "ambit grants revoke " + shellWord(id)
	case decision.NotGranted:
		cmd := "ambit grants add "
		if pack != "" {
			cmd += "--pack " + shellWord(pack) + " "
		}
		if broad(c) {
			cmd += "--broad "
		}
		return cmd + shellWord(c.Display())
	default:
		return ""
	}
}

// ungranted tells of what a pack declares and nobody granted: the pack runs
// without it.
func (s *prepared) ungranted(m manifest.Manifest, r decision.Request, d decision.Decision) {
	if w, ok := m.Declares(r.Capability); s.app.json || ok && w.Optional {
		return
	}
	s.refusal(r, d)
}

// broadly is how a capability stands in a list: wide ones are marked.
func broadly(c capability.Capability) string {
	if broad(c) {
		return c.Display() + " (broad)"
	}
	return c.Display()
}

// sentence says exactly what a grant gives, to whom and for how long.
func (a *app) sentence(g grant.Grant, whom string) string {
	text := gives(g, whom)
	if g.Lifespan.Span == grant.Always {
		text += ", until you revoke it"
	} else {
		text += ", " + a.lasts(g)
	}
	if g.Outcome == grant.Allow && broad(g.Capability) {
		text += " (broad)"
	}
	return text
}

// broad reports whether a capability is wide, which its scope does not always say:
// a home may lie anywhere.
func broad(c capability.Capability) bool {
	if c.Kind() != capability.FSRead && c.Kind() != capability.FSWrite {
		return c.Broad()
	}
	home, err := capability.ForPath(c.Kind(), who().Home)
	return c.Broad() || err == nil && c.Covers(home)
}

// gives says what a grant gives or refuses to whom.
func gives(g grant.Grant, whom string) string {
	may := " may "
	if g.Outcome != grant.Allow {
		may = " may not "
	}
	text := capability.Printable(whom) + may + g.Capability.Describe()
	if pattern, ok := g.Capability.Pattern(); ok && g.Capability.Kind() != capability.ProcessSpawn {
		path, _ := pattern.Literal()
		if fi, err := os.Stat(path); err == nil && fi.IsDir() {
			text += " and what is beneath it"
		}
	}
	return text
}

func capitalized(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
