package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/policy/wire"
)

func (a *app) policyCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "policy",
		Short: "Check and try the policies that an administrator keeps for this machine",
		Long: `Policies in Cedar, in ` + wire.Dir + `, are asked about every decision. They
belong to root, and only tighten: a forbid denies what was granted, a permit
grants nothing. Nobody else can change them or do without them.`,
		Example: `  ambit policy check
  ambit policy test cases.json
  ambit policy explain net.connect:example.org:443`,
	})
	cmd.AddCommand(a.policyCheck(), a.policyTest(), a.policyExplain())
	return cmd
}

func (a *app) policyCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FOLDER]",
		Short: "Read policies as a launch would, and list them",
		Long: `Read the policies of this machine, or those in a FOLDER that are still being
written, and check them against the schema. Of a FOLDER it is not looked at who
owns it. The exit status is 0 if they can be used, else 125: what is wrong stands
as file:line:column.`,
		Example: `  ambit policy check
  ambit policy check ./policies`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.checkPolicy(args) },
	}
}

// policyReport is what policy check tells.
type policyReport struct {
	Folder   string        `json:"folder"`
	Set      string        `json:"set,omitempty"`
	Policies []wire.Policy `json:"policies"`
}

func (a *app) checkPolicy(args []string) error {
	l, err := a.listPolicy(append(args, "")[0])
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(l)
	}
	if len(l.Policies) == 0 {
		printf(a.out, "%s has no policies: nothing is forbidden by it.\n", capability.Printable(l.Folder))
		return nil
	}
	var rows [][]string
	for _, p := range l.Policies {
		rows = append(rows, []string{p.File + ":" + strconv.Itoa(p.Line), p.ID, p.Effect, p.Reason})
	}
	if err := table(a.out, []string{"WHERE", "ID", "EFFECT", "REASON"}, rows); err != nil {
		return err
	}
	for _, p := range l.Policies {
		if p.Warning != "" {
			printf(a.err, "%s:%d:%d: warning: %s\n", capability.Printable(p.File), p.Line, p.Column, p.Warning)
		}
	}
	printf(a.out, "%d policies can be used, %s.\n", len(l.Policies), l.Set)
	return nil
}

// listPolicy lists the policies of this machine, or those in a folder.
func (a *app) listPolicy(folder string) (l policyReport, err error) {
	l = policyReport{Folder: cmp.Or(folder, wire.Dir), Policies: []wire.Policy{}}
	h := wire.Hello{}
	if folder != "" {
		if h.Draft, err = filepath.Abs(folder); err != nil {
			return l, err
		}
		if h.Draft, err = filepath.EvalSymlinks(h.Draft); err != nil {
			return l, fmt.Errorf("find the policies: %w", err)
		}
	} else if _, err := os.Lstat(wire.Dir); errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	got, err := a.askPolicies(h, wire.Question{List: true})
	if err != nil {
		return l, err
	}
	l.Set, l.Policies = got.Set, append(l.Policies, got.Policies...)
	return l, nil
}

// askPolicies asks one question of what evaluates policies.
func (a *app) askPolicies(h wire.Hello, q wire.Question) (wire.Answer, error) {
	p, c, err := a.policies(h)
	if err != nil {
		return wire.Answer{}, err
	}
	defer func() {
		_ = p.Line.Close() // nothing else is asked
		p.Stop()
	}()
	return c.Ask(q)
}
