package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

// risks are the groups that consent is asked in, the gravest first.
var risks = []struct {
	title string
	has   func(capability.Capability) bool
}{
	{"Outside of any sandbox", ofKind(capability.HostExecute)},
	{"What is broad", broad},
	{"Secrets", ofKind(capability.SecretRead, capability.SecretUse)},
	{"Changes of files", ofKind(capability.FSWrite)},
	{"The network", networks},
	{"Programs", ofKind(capability.ProcessSpawn, capability.ProcessKill)},
	{"Files", ofKind(capability.FSRead)},
	{"Other things", func(capability.Capability) bool { return true }},
}

func ofKind(kinds ...capability.Kind) func(capability.Capability) bool {
	return func(c capability.Capability) bool { return slices.Contains(kinds, c.Kind()) }
}

// consent finds out what of the pack's wants is allowed. What is broad needs the
// strongest question: the pack's id, typed.
func (in *installation) consent(ctx context.Context, f *installFlags) (allowed []capability.Capability, err error) {
	var plain, serious []capability.Capability
	for _, w := range in.wants {
		if broad(w.Capability) {
			serious = append(serious, w.Capability)
		} else {
			plain = append(plain, w.Capability)
		}
	}
	switch {
	case f.lazy, len(in.wants) == 0 && (f.yes || !in.handed):
		return nil, nil
	case f.yes && f.broad:
		return append(plain, serious...), nil
	case f.yes:
		return plain, nil
	case !term.IsTerminal(int(in.app.in.Fd())) && len(in.wants) == 0:
		return nil, fmt.Errorf("%s is signed by another key, and there is no terminal to ask at whether that is to be: use --yes or --lazy", in.manifest.ID)
	case !term.IsTerminal(int(in.app.in.Fd())):
		return nil, fmt.Errorf("%s asks for %d capabilities that nobody has allowed, and there is no terminal to ask at: use --yes, or --lazy to allow nothing yet; `ambit pack check` lists them", in.manifest.ID, len(in.wants))
	}
	in.show()
	return in.question(ctx, plain, serious)
}

// show says who the pack is and what it wants, in groups.
func (in *installation) show() {
	d, say := in.draft, in.app.err
	printf(say, "%s\n", packName(d.Manifest))
	if d.Manifest.Description != "" {
		printf(say, "  about   %s\n", capability.Printable(d.Manifest.Description))
	}
	printf(say, "  from    %s\n          %s\n", capability.Printable(in.source), signedBy(d.Signer))
	verb := "It asks to"
	if in.known && in.before.Digest != "" {
		printf(say, "  now     %s is installed\n", capability.Printable(auditOr(in.before.Version, in.before.Digest)))
		verb = "It asks for more than was allowed, to"
	}
	if len(in.wants) > 0 {
		printf(say, "\n%s\n", verb)
	}
	title := ""
	for _, w := range graver(in.wants) {
		if risk := riskOf(w.Capability); risk != title {
			printf(say, "  %s\n", risk)
			title = risk
		}
		printf(say, "    %s\n", wantWords(in.manifest, w))
	}
	printf(say, "\n")
}

// riskOf names the group that a capability is asked about in.
func riskOf(c capability.Capability) string { return risks[gravity(c)].title }

func gravity(c capability.Capability) int {
	for i, r := range risks {
		if r.has(c) {
			return i
		}
	}
	return len(risks) - 1
}

// graver are wants with the gravest first, and those of one group together.
func graver(wants []manifest.Want) []manifest.Want {
	return slices.SortedStableFunc(slices.Values(wants), func(a, b manifest.Want) int { return gravity(a.Capability) - gravity(b.Capability) })
}

// wantWords says what a pack wants. What its author wrote stands in quotes.
func wantWords(m manifest.Manifest, w manifest.Want) string {
	line := m.Describe(w)
	if w.Reason != "" {
		line += ": " + fmt.Sprintf("%q", w.Reason)
	}
	if w.Optional {
		line += " [optional]"
	}
	return capability.Printable(line)
}

// question asks at the terminal. Anything but a clear yes is none.
func (in *installation) question(ctx context.Context, plain, serious []capability.Capability) (allowed []capability.Capability, err error) {
	lines := in.app.lines(ctx)
	if in.handed {
		printf(in.app.err, "Take the new key? [y]es, [N]o: ")
		if text, err := lines(); err != nil || text != "y" && text != "yes" {
			return nil, errors.Join(err, errors.New("nothing was installed"))
		}
	}
	if len(plain) > 0 {
		what := "Allow this?"
		if len(serious) > 0 {
			what = "Allow this, but for what is set apart at the top?"
		}
		printf(in.app.err, "%s [y]es, [l]ater (install it and allow none of it yet), [N]o: ", what)
		switch text, err := lines(); {
		case err != nil:
			return nil, err
		case text == "y" || text == "yes":
			allowed = plain
		case text == "l" || text == "later":
			return nil, nil
		default:
			return nil, errors.New("nothing was installed")
		}
	}
	if len(serious) > 0 {
		printf(in.app.err, "To allow what is set apart at the top too, type %s; anything else leaves it out: ", in.manifest.ID)
		text, err := lines()
		if err != nil {
			return nil, err
		}
		if text == in.manifest.ID {
			allowed = append(allowed, serious...)
		}
	}
	return allowed, nil
}

// lines reads what the person types, line after line.
func (a *app) lines(ctx context.Context) func() (string, error) {
	in := bufio.NewReader(a.in)
	return func() (string, error) {
		type typed struct {
			text string
			err  error
		}
		got := make(chan typed, 1)
		go func() {
			text, err := in.ReadString('\n')
			got <- typed{strings.TrimSpace(text), err}
		}()
		select {
		case <-ctx.Done():
			return "", errors.New("nothing was installed")
		case t := <-got:
			if t.err != nil {
				printf(a.err, "\n")
				return "", errors.New("nothing was installed: there was no answer")
			}
			return t.text, nil
		}
	}
}

// signedBy says in words who signed a pack.
func signedBy(key string) string {
	if key == "" {
		return "signed by nobody"
	}
	name, _, _ := strings.Cut(key, "+")
	return "signed by " + capability.Printable(name) + " (" + key + ")"
}

// packName is how a pack is called.
func packName(m manifest.Manifest) string {
	return capability.Printable(strings.TrimSpace(m.ID + " " + m.Version))
}

// absolute is a path for people and for later; one that cannot be made absolute
// stays as it is.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
