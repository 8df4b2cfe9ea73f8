package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/core/manifest"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

func (a *app) packCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "pack",
		Short: "Install, sign, share and look at packs",
		Long: `A pack is a folder with a manifest. It can be run where it lies, or be installed,
and then run by its id. What was granted to an id belongs to the folder that ran
first under it, or to the pack that was installed; another one that claims the
same id is refused.`,
		Example: `  ambit pack check examples/packs/history-report
  ambit pack install words-1.2.tar.gz
  ambit run --pack org.example.words
  ambit pack ls`,
	})
	cmd.AddCommand(a.packCheck(), a.packShow(), a.packUnused(), a.packInstall(), a.packPrepare(), a.packUpdate(), a.packList(), a.packRemove(), a.packVerify(), a.packAdopt(),
		a.packKey(), a.packSign(), a.packExport(), a.packPush())
	return cmd
}

func (a *app) packCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FOLDER|ID",
		Short: "Check a pack's manifest and say what it asks for",
		Long: `Read the manifest of a pack and say who it is, whether it can be started, what it
asks for and why, what of that was granted, and what this host cannot enforce.
Nothing is run and nothing is recorded. The exit status is 125 if the manifest is
wrong or the pack could not run here with all that it asks for.`,
		Example: `  ambit pack check examples/packs/history-report
  ambit pack check --json . | jq .capabilities`,
		Args:              exactly(1, "the folder of a pack, or the id of one that is installed"),
		ValidArgsFunction: a.completePacks,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.checkPack(cmd.Context(), args[0]) },
	}
}

// packReport is what is said of a pack.
type packReport struct {
	ID           string            `json:"id"`
	Name         string            `json:"name,omitempty"`
	Version      string            `json:"version,omitempty"`
	Kind         manifest.Kind     `json:"kind"`
	Description  string            `json:"description,omitempty"`
	Folder       string            `json:"folder"`
	Source       string            `json:"source"`
	Digest       string            `json:"digest"`
	Entry        []string          `json:"entry"`
	Program      string            `json:"program,omitempty"` // what the entry leads to
	Home         string            `json:"home"`
	Env          []string          `json:"env,omitempty"`
	Limits       map[string]string `json:"limits,omitempty"`
	Zones        []zoneReport      `json:"zones,omitempty"`
	Capabilities []wantReport      `json:"capabilities"`
	Problems     []string          `json:"problems"` // what keeps it from running here
}

// wantReport is what is said of one capability that a pack asks for.
type wantReport struct {
	Capability capability.Capability `json:"capability"` // settled
	Meaning    string                `json:"meaning"`
	Reason     string                `json:"reason,omitempty"`
	Optional   bool                  `json:"optional,omitempty"`
	Broad      bool                  `json:"broad,omitempty"`
	Granted    bool                  `json:"granted"`
	Why        string                `json:"why"` // why it is granted, or not
	Problem    string                `json:"problem,omitempty"`
	Note       string                `json:"note,omitempty"`
}

func (a *app) checkPack(ctx context.Context, dir string) error {
	r, err := a.examine(ctx, dir)
	if err != nil {
		return err
	}
	if a.json {
		err = a.printJSON(r)
	} else {
		err = a.printPack(r)
	}
	if err != nil || len(r.Problems) == 0 {
		return err
	}
	return fmt.Errorf("pack %q could not run here with all that it asks for: %s", dir, capability.Printable(strings.Join(r.Problems, "; ")))
}

// examine reads a pack as a run would and compiles a plan for each capability,
// to find out what this host cannot enforce.
func (a *app) examine(ctx context.Context, dir string) (packReport, error) {
	s := &prepared{app: a, flags: &runFlags{pack: dir, plan: true, tier: enforce.TierProcess}, facts: hostFacts(who()), spelled: map[capability.Capability]capability.Capability{}}
	var err error
	if s.base, err = base(); err != nil {
		return packReport{}, err
	}
	m, _, _, err := a.readPack(dir)
	if err != nil {
		return packReport{}, err
	}
	r := packReport{ID: m.ID, Name: m.Name, Version: m.Version, Kind: m.Kind, Description: m.Description, Source: m.Source,
		Digest: m.Digest(), Entry: m.Entry, Home: m.Home, Env: m.Env, Limits: m.Limits, Zones: zoneReports(m), Capabilities: []wantReport{}, Problems: []string{}}
	if t, err := chooseTier(tiers(a), m.Kind, tierAuto); err != nil {
		r.Problems = append(r.Problems, err.Error())
	} else {
		s.flags.tier = t.name
	}
	if _, err := chooseTier(tiers(a), m.Kind, s.flags.tier); err != nil {
		return r.unexamined(m), nil
	}
	if err := s.readManifest(); err != nil {
		return r, err
	}
	r.Folder = s.packDir
	s.subject.Principal, s.subject.Pack = s.app.principal(), s.manifest.ID
	s.managed = a.manage()
	defer s.managed.close()
	s.managed.of(a.signerOf(s.manifest.ID), s.tier.name)
	if s.policy, err = readPolicy(s.base, s.managed); err != nil {
		return r, err
	}
	stored, err := a.storedGrants(ctx)
	if err != nil {
		return r, err
	}
	program, err := s.findProgram()
	if err != nil {
		r.Problems = append(r.Problems, "its entry: "+err.Error())
	}
	r.Program = program.real
	in := decision.Input{Manifest: s.manifest, Grants: stored, Policy: s.policy, Now: a.now()}
	for _, w := range s.manifest.Wants {
		d := decision.Decide(decision.Request{Subject: s.subject, Capability: w.Capability}, in)
		wr := wantReport{Capability: w.Capability, Meaning: s.manifest.Describe(w), Reason: w.Reason, Optional: w.Optional,
			Broad: broad(w.Capability), Granted: d.Outcome == decision.Allow, Why: d.Reasons[0].Text}
		s.enforceable(&wr, program)
		if wr.Problem != "" && !w.Optional {
			r.Problems = append(r.Problems, wr.Problem)
		}
		r.Capabilities = append(r.Capabilities, wr)
	}
	return r, nil
}

// unexamined lists what a pack asks for of a tier that is not here.
func (r packReport) unexamined(m manifest.Manifest) packReport {
	for _, w := range m.Wants {
		r.Capabilities = append(r.Capabilities, wantReport{Capability: w.Capability, Meaning: m.Describe(w),
			Reason: w.Reason, Optional: w.Optional, Broad: broad(w.Capability), Why: "this version cannot run it"})
	}
	return r
}

// enforceable compiles a plan that has this capability alone.
func (s *prepared) enforceable(w *wantReport, p program) {
	if p.real == "" {
		p.argv = s.argv // the entry was not found; a plan can be made all the same
	}
	var cannot *enforce.CannotEnforce
	seen, err := view.Base(who())
	if err == nil {
		s.zones, err = s.zoneAlone(w.Capability)
	}
	if err == nil {
		err = s.compile([]capability.Capability{w.Capability}, p, seen)
	}
	switch {
	case errors.As(err, &cannot):
		w.Problem = cannot.Error()
	case errors.Is(err, errNothingThere) || errors.Is(err, fs.ErrNotExist):
		w.Note = "there is nothing at that path yet; a run that was granted it would be refused"
	case err != nil:
		w.Problem = err.Error()
	}
}

func (a *app) printPack(r packReport) error {
	rows := [][]string{
		{"pack", r.ID}, {"name", strings.TrimSpace(r.Name + " " + r.Version)}, {"kind", string(r.Kind)}, {"about", r.Description},
		{"manifest", r.Source}, {"digest", r.Digest}, {"entry", entryWords(r)}, {"home", r.Home},
		{"env", strings.Join(r.Env, " ")}, {"limits", limitList(r.Limits)},
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return row[1] == "" })
	if err := table(a.out, nil, rows); err != nil {
		return err
	}
	if len(r.Capabilities) == 0 {
		printf(a.out, "\nIt asks for nothing.\n")
		return nil
	}
	printf(a.out, "\nIt asks to\n")
	for _, w := range r.Capabilities {
		printf(a.out, "  %s\n", capability.Printable(wantLine(w)))
		if w.Problem != "" {
			printf(a.out, "      cannot be had here: %s\n", capability.Printable(w.Problem))
		}
		if w.Note != "" {
			printf(a.out, "      %s\n", capability.Printable(w.Note))
		}
	}
	return nil
}

func wantLine(w wantReport) string {
	line := w.Meaning
	if w.Reason != "" {
		line += ": " + strconv.Quote(w.Reason)
	}
	words := []string{line}
	for _, mark := range []struct {
		set  bool
		word string
	}{{w.Broad, "broad"}, {w.Optional, "optional"}, {w.Granted, "granted"}, {!w.Granted, "not granted"}} {
		if mark.set {
			words = append(words, "["+mark.word+"]")
		}
	}
	return strings.Join(words, " ")
}

func entryWords(r packReport) string {
	var words []string
	for _, w := range r.Entry {
		words = append(words, shellWord(w))
	}
	line := strings.Join(words, " ")
	if r.Program == "" {
		return line + " (not found)"
	}
	return line + " (" + r.Program + ")"
}

func limitList(limits map[string]string) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		all = append(all, name+"="+limits[name])
	}
	return strings.Join(all, " ")
}
