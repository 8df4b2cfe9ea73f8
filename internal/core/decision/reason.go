package decision

import (
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
)

// who names the subject for people.
func who(r Request) string {
	switch s := r.Subject; {
	case s.Pack != "":
		return capability.Printable(s.Pack)
	case s.Program != "":
		return capability.Printable(s.Program)
	default:
		return "the program"
	}
}

func forbidden(r Request, forbid []capability.Capability) Reason {
	by := least(forbid, func(f capability.Capability) bool { return stops(f, r.Capability) })
	return Reason{
		Rule: Forbidden, By: by,
		Text: "policy forbids everybody to " + by.Describe() + "; only who runs this machine can change that",
	}
}

func undeclared(r Request) Reason {
	return Reason{
		Rule: Undeclared,
		Text: "the manifest of " + who(r) + " does not ask to " + r.Capability.Describe() +
			"; whoever makes it would add " + quote(r.Capability.Display()) + " to its capabilities",
	}
}

func denied(r Request, denies []grant.Grant) Reason {
	g := first(denies)
	return Reason{
		Rule: Denied, Grant: g.ID, By: g.Capability,
		Text: "a standing no: " + who(r) + " may not " + g.Capability.Describe() + because(g),
		Fix:  command("ambit grants revoke", g.ID),
	}
}

func allowed(r Request, allows []grant.Grant) Reason {
	g := first(allows)
	return Reason{
		Rule: Allowed, Grant: g.ID, By: g.Capability,
		Text: who(r) + " may " + g.Capability.Describe() + " (" + g.Lifespan.String() + ")" + because(g),
		Fix:  command("ambit grants revoke", g.ID),
	}
}

func preapproved(r Request, preapprove []capability.Capability) Reason {
	by := least(preapprove, func(p capability.Capability) bool { return p.Covers(r.Capability) })
	return Reason{Rule: Preapproved, By: by, Text: "policy permits everybody to " + by.Describe()}
}

func notGranted(r Request) Reason {
	return Reason{
		Rule: NotGranted,
		Text: "nobody has allowed " + who(r) + " to " + r.Capability.Describe(),
		Fix:  command("ambit grants add", r.Capability.Display()),
	}
}

func because(g grant.Grant) string {
	if g.Reason == "" {
		return ""
	}
	return ", because: " + capability.Printable(g.Reason)
}

// least returns the first in order of text of those that fit, so that the
// reason does not depend on how a policy is written.
func least(all []capability.Capability, fits func(capability.Capability) bool) capability.Capability {
	fitting := slices.DeleteFunc(slices.Clone(all), func(c capability.Capability) bool { return !fits(c) })
	return slices.MinFunc(fitting, func(a, b capability.Capability) int { return strings.Compare(a.String(), b.String()) })
}

// command joins a command and its operand for a shell, or is "" if there is no
// operand.
func command(name, operand string) string {
	if operand == "" {
		return ""
	}
	return name + " " + quote(capability.Printable(operand))
}

// quote quotes a word for a shell if it needs it.
func quote(s string) string {
	special := func(r rune) bool {
		letter := '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		return !letter && !strings.ContainsRune("._/:@%+=,-", r)
	}
	if !strings.ContainsFunc(s, special) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
