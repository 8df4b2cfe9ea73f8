package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/policy/wire"
)

func (a *app) policyExplain() *cobra.Command {
	pack := ""
	cmd := &cobra.Command{
		Use:   "explain CAPABILITY",
		Short: "Say which policies would decide about a capability, and why",
		Long: `Ask the policies of this machine about a capability, as a launch would, for you.
Grants are not looked at: ` + "`ambit why`" + ` does both.`,
		Example: `  ambit policy explain fs.read:~
  ambit policy explain --pack examples/packs/history-report net.connect:example.org:443`,
		Args: exactly(1, "a capability"),
		RunE: func(_ *cobra.Command, args []string) error { return a.explainPolicy(pack, args[0]) },
	}
	cmd.Flags().StringVar(&pack, "pack", "", "for the pack in this `folder`, or the installed one with this id, instead of ad hoc runs")
	return cmd
}

// explained is what policies say of one capability.
type explained struct {
	Capability capability.Capability `json:"capability"`
	Outcome    string                `json:"outcome"` // forbidden or open
	Set        string                `json:"set,omitempty"`
	By         *wire.Policy          `json:"by,omitempty"`
	Why        string                `json:"why,omitempty"`
	Holes      []wire.Hole           `json:"holes"`
}

func (a *app) explainPolicy(pack, text string) error {
	c, err := capability.Parse(text)
	if err != nil {
		return err
	}
	b, err := base()
	if err != nil {
		return err
	}
	if c, err = settle(c, b); err != nil {
		return err
	}
	to, err := a.grantee(pack)
	if err != nil {
		return err
	}
	e := explained{Capability: c, Outcome: expectOpen, Holes: []wire.Hole{}}
	if _, err := os.Lstat(wire.Dir); errors.Is(err, fs.ErrNotExist) {
		return a.printExplained(e)
	}
	r := wire.Request{Capability: c, Single: single(c), Context: wire.Context{Pack: to.manifest.ID, Digest: to.digest,
		Signer: a.signerOf(to.manifest.ID), Tier: enforce.TierProcess}}
	got, err := a.askPolicies(wire.Hello{}, wire.Question{Requests: []wire.Request{r}})
	if err != nil {
		return err
	}
	v := got.Verdicts[0]
	e.Set, e.By, e.Why, e.Holes = got.Set, v.By, v.Why, append(e.Holes, v.Holes...)
	if v.Forbidden {
		e.Outcome = expectForbidden
	}
	return a.printExplained(e)
}

func (a *app) printExplained(e explained) error {
	if a.json {
		return a.printJSON(e)
	}
	printf(a.out, "%s: %s\n", e.Capability.Display(), map[bool]string{true: "forbidden", false: "policy does not stand in its way"}[e.Outcome == expectForbidden])
	var rows [][]string
	if e.By != nil {
		rows = append(rows, []string{"policy", e.By.String()}, []string{"reason", e.By.Reason}, []string{"why", e.Why})
	}
	for _, h := range e.Holes {
		rows = append(rows, []string{"closed", h.Capability.Display() + ", by " + h.By.String()})
	}
	a.printRows(append(rows, []string{"policies", e.Set}))
	return nil
}
