package main

import (
	"strings"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
)

// completeRun tells shells what the flags of run take. It is made only when
// another command than run is on its way, as completion itself is.
func (a *app) completeRun(root *cobra.Command) {
	run, _, err := root.Find([]string{"run"})
	if err != nil {
		return
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"allow":  completeCapability,
		"deny":   completeCapability,
		"home":   oneOf("none", "ephemeral", "private", "host"),
		"tier":   oneOf(tierNames()...),
		"ask":    oneOf(askAuto, askTTY, askQueue, askNone),
		"ask-by": oneOf(askByTrap, askByNotification),
		"deno":   oneOf("auto", "on", "off"),
		"limit":  openWords("memory=", "pids=", "cpu=", "wall=", "disk=", "fds="),
		"pack":   a.completePacks,
	} {
		_ = run.RegisterFlagCompletionFunc(flag, complete) // fails only for a flag that is not there; the tests ask for each
	}
}

// completeLearn tells shells what the flags of learn take.
func completeLearn(root *cobra.Command) {
	learn, _, err := root.Find([]string{"learn"})
	if err != nil {
		return
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"allow":  completeCapability,
		"deny":   completeCapability,
		"home":   oneOf("host", "ephemeral", "none"),
		"ask-by": oneOf(askByTrap, askByNotification),
		"limit":  openWords("memory=", "pids=", "cpu=", "wall=", "disk=", "fds="),
	} {
		_ = learn.RegisterFlagCompletionFunc(flag, complete) // fails only for a flag that is not there
	}
}

// completeAudit tells shells of the kinds of records.
func completeAudit(root *cobra.Command) {
	var kinds []string
	for _, k := range audit.Kinds() {
		kinds = append(kinds, string(k))
	}
	for _, name := range []string{"ls", "export"} {
		if cmd, _, err := root.Find([]string{"audit", name}); err == nil && cmd.Flags().Lookup("kind") != nil {
			_ = cmd.RegisterFlagCompletionFunc("kind", oneOf(kinds...)) // the flag is there
		}
	}
}

func oneOf(all ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// openWords are completed without a space: something follows.
func openWords(all ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// completePacks completes ids of installed packs; the shell completes folders.
func (a *app) completePacks(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var ids []cobra.Completion
	if packs, err := a.packs(); err == nil {
		all, _ := packs.All() // an index that cannot be read offers nothing
		for _, o := range all {
			if o.Digest != "" {
				ids = append(ids, cobra.CompletionWithDesc(o.ID, o.Version))
			}
		}
	}
	return ids, cobra.ShellCompDirectiveDefault
}

// completeCapability completes the kind; after its colon the shell completes
// files where the scope is a path.
func completeCapability(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if strings.Contains(typed, ":") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var all []cobra.Completion
	for _, k := range capability.Kinds() {
		text := string(k)
		if _, err := capability.Parse(text); err != nil {
			text += ":" // it needs a scope
		}
		all = append(all, cobra.CompletionWithDesc(text, k.Meaning()))
	}
	return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeGrants completes ids of grants that stand.
func (a *app) completeGrants(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	stored, err := a.storedGrants(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var all []cobra.Completion
	for _, g := range stored {
		if a.standing(g) {
			all = append(all, cobra.CompletionWithDesc(g.ID, g.Outcome.String()+" "+g.Capability.Display()))
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeWhy completes ids of the latest denials, and kinds of capabilities.
func (a *app) completeWhy(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if strings.ContainsAny(typed, "/~:") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	all, _ := completeCapability(cmd, args, typed)
	dir, err := a.auditDir()
	if err != nil {
		return all, cobra.ShellCompDirectiveDefault
	}
	latest, err := audit.Last(dir, 20, func(r audit.Record) bool { return r.Kind == audit.Decision || r.Kind == audit.Denial })
	if err != nil {
		return all, cobra.ShellCompDirectiveDefault
	}
	for _, r := range latest {
		all = append(all, cobra.CompletionWithDesc(r.ID, r.Time.Local().Format(minute)))
	}
	return all, cobra.ShellCompDirectiveDefault
}
