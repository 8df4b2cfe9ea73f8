package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

func (a *app) whyCommand() *cobra.Command {
	var pack string
	cmd := &cobra.Command{
		Use:   "why {ID | CAPABILITY | PATH}",
		Short: "Say which rule decides, and what would change it",
		Long: `Explain a decision or denial that was recorded, by its id; or answer what would be
decided now about a capability, or about reading and changing a path, with the
grants and the policy as they are. Nothing is recorded. What a run's own
--allow and --deny would add is not looked at.`,
		Example: `  ambit why d-7f3ak2mq5x
  ambit why net.connect:api.github.com:443
  ambit why --pack examples/packs/history-report ~/notes.txt`,
		Args:              exactly(1, "an id, a capability or a path"),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.why(cmd.Context(), pack, args[0]) },
		ValidArgsFunction: a.completeWhy,
	}
	cmd.Flags().StringVar(&pack, "pack", "", "for the pack in this `folder` instead of ad hoc runs")
	return cmd
}

func (a *app) why(ctx context.Context, pack, what string) error {
	if told, err := a.whyRecord(ctx, what); told || err != nil {
		return err
	}
	caps, err := asked(what)
	if err != nil {
		return err
	}
	to, err := a.grantee(pack)
	if err != nil {
		return err
	}
	b, err := base()
	if err != nil {
		return err
	}
	in := decision.Input{Manifest: to.manifest, Now: a.now()}
	m := a.manage()
	defer m.close()
	m.of(a.signerOf(to.manifest.ID), enforce.TierProcess)
	if in.Policy, err = readPolicy(b, m); err != nil {
		return err
	}
	if in.Grants, err = a.storedGrants(ctx); err != nil {
		return err
	}
	answers := []answer{}
	for _, c := range caps {
		if c, err = settle(c, b); err != nil {
			return err
		}
		answers = append(answers, a.answer(c, to, pack, in))
	}
	if a.json {
		return a.printJSON(answers)
	}
	for _, ans := range answers {
		a.printAnswer(ans)
	}
	return nil
}

// asked reads what the person asks about: a capability, or a path, which is
// asked about as reading and as changing.
func asked(what string) ([]capability.Capability, error) {
	c, syntax := capability.Parse(what)
	if syntax == nil {
		return []capability.Capability{c}, nil
	}
	path := what
	if home := who().Home; what == "~" || strings.HasPrefix(what, "~/") { //nolint:forbidigo // the separator is part of the prefix
		path = home + what[1:]
	}
	if _, err := os.Lstat(path); err != nil && !strings.Contains(what, "/") {
		return nil, fmt.Errorf("%s is neither an id of the log nor a file here nor a capability: %w", capability.Printable(what), syntax)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	var caps []capability.Capability
	for _, k := range []capability.Kind{capability.FSRead, capability.FSWrite} {
		c, err := capability.ForPath(k, path)
		if err != nil {
			return nil, err
		}
		caps = append(caps, c)
	}
	return caps, nil
}

// answer is what would be decided now.
type answer struct {
	Capability capability.Capability `json:"capability"` // settled
	Outcome    string                `json:"outcome"`
	Rule       decision.Rule         `json:"rule"`
	Text       string                `json:"text"`
	Grant      string                `json:"grant,omitempty"`
	By         capability.Capability `json:"by,omitzero"`
	Fix        string                `json:"fix,omitempty"`
	Notes      []string              `json:"notes"`
}

func (a *app) answer(c capability.Capability, to grantee, pack string, in decision.Input) answer {
	r := decision.Request{Capability: c, Subject: decision.Subject{Principal: a.principal(), Pack: to.manifest.ID, Digest: to.digest}}
	d := decision.Decide(r, in)
	why := d.Reasons[0] // Decide gives one always
	return answer{
		Capability: c, Outcome: d.Outcome.String(), Rule: why.Rule, Text: why.Text, Grant: why.Grant, By: why.By,
		Fix:   remedy(c, string(why.Rule), why.Grant, pack),
		Notes: append([]string{}, a.notes(r, d, to, in)...),
	}
}

// notes are what the rules do not know: what is there, what hides it, what
// every program sees anyway.
func (a *app) notes(r decision.Request, d decision.Decision, to grantee, in decision.Input) (notes []string) {
	pattern, ok := r.Capability.Pattern()
	if !ok {
		return nil
	}
	path, literal := pattern.Literal()
	if literal {
		_, err := os.Lstat(path)
		switch {
		case errors.Is(err, os.ErrNotExist):
			notes = append(notes, "there is nothing at "+path+" now")
		case err != nil:
			notes = append(notes, "you cannot look at it yourself: "+err.Error())
		}
		if place := shownAnyway(path, to.dir); place != "" && d.Outcome != decision.Allow && r.Capability.Kind() == capability.FSRead {
			notes = append(notes, "it can be read all the same: "+place)
		}
	}
	if d.Outcome == decision.Allow {
		for _, c := range hidden(r, in) {
			notes = append(notes, "inside it, this stays hidden: "+c.Display())
		}
	}
	return notes
}

// hidden are the denials that lie inside what is asked.
func hidden(r decision.Request, in decision.Input) (inside []capability.Capability) {
	covers := func(c capability.Capability) bool {
		return slices.ContainsFunc(r.Capability.Parts(), func(p capability.Capability) bool { return p.Covers(c) })
	}
	for _, g := range in.Grants {
		if g.Outcome != grant.Allow && g.Principal == r.Subject.Principal && g.Pack == r.Subject.Pack && g.Applies(in.Now, "") && covers(g.Capability) {
			inside = append(inside, g.Capability)
		}
	}
	for _, c := range in.Policy.Forbid {
		if covers(c) {
			inside = append(inside, c)
		}
	}
	return inside
}

// shownAnyway says why every program sees path, "" if it does not.
func shownAnyway(path, packDir string) string {
	beneath := func(dir string) bool {
		rel, err := filepath.Rel(dir, path)
		return err == nil && filepath.IsLocal(rel)
	}
	if packDir != "" && beneath(packDir) {
		return "a pack sees its own folder"
	}
	b, err := view.Base(who())
	if err != nil {
		return ""
	}
	for _, o := range b.Dirs {
		if beneath(o.Path) {
			return "it belongs to the system, which every program sees, read-only"
		}
	}
	for _, f := range b.Files {
		if f.Path == path {
			return "every program sees a file of this name, made for the sandbox or copied"
		}
	}
	return ""
}

func (a *app) printAnswer(ans answer) {
	outcome := map[string]string{"allow": "allowed", "ask": "would be asked"}[ans.Outcome]
	if outcome == "" {
		outcome = "denied"
	}
	printf(a.out, "%s: %s\n", ans.Capability.Display(), outcome)
	rows := [][]string{{"rule", string(ans.Rule) + ": " + ans.Text}}
	if ans.Grant != "" {
		rows = append(rows, []string{"grant", ans.Grant + "  " + ans.By.Display()})
	}
	if ans.Fix != "" {
		rows = append(rows, []string{"to change it", ans.Fix})
	}
	for _, n := range ans.Notes {
		rows = append(rows, []string{"note", n})
	}
	a.printRows(rows)
}

// printRows prints names and values, indented.
func (a *app) printRows(rows [][]string) {
	for _, row := range rows {
		if row[1] != "" {
			printf(a.out, "  %-13s %s\n", row[0], capability.Printable(row[1]))
		}
	}
}
