package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/policy/wire"
)

func (a *app) policyTest() *cobra.Command {
	folder := ""
	cmd := &cobra.Command{
		Use:   "test [--policy FOLDER] FILE",
		Short: "Compare what policies say of requests with what is expected",
		Long: `Read cases from a FILE, a JSON list, and compare what the policies say of each
with what is expected of it: "forbidden" or "open" (policy does not stand in its
way; somebody still has to grant it). holes lists what has to stay closed inside.
The exit status is 0 if all are as expected, else 1.

  [{"name": "keys", "capability": "fs.read:/home/ana",
    "user": {"uid": 1000, "name": "ana"}, "expect": "open",
    "by": "keys", "holes": ["fs.read:/home/ana/.ssh"]}]`,
		Example: `  ambit policy test cases.json
  ambit policy test --policy ./policies cases.json`,
		Args: exactly(1, "a file with cases"),
		RunE: func(_ *cobra.Command, args []string) error { return a.testPolicy(folder, args[0]) },
	}
	cmd.Flags().StringVar(&folder, "policy", "", "the policies in this `folder` instead of those of this machine")
	return cmd
}

// policyCase is a request, and what is expected.
type policyCase struct {
	Name       string                  `json:"name"`
	Capability capability.Capability   `json:"capability"`
	Single     bool                    `json:"single"` // a path is that of one file
	User       *wire.User              `json:"user"`
	Context    wire.Context            `json:"context"`
	Expect     string                  `json:"expect"`
	By         string                  `json:"by"` // id of the policy, "" if any
	Holes      []capability.Capability `json:"holes"`
}

// What may be expected.
const (
	expectForbidden = "forbidden"
	expectOpen      = "open"
)

// policyOutcome is what came of a case.
type policyOutcome struct {
	Name   string                  `json:"name"`
	Passed bool                    `json:"passed"`
	Got    string                  `json:"got"`
	By     string                  `json:"by,omitempty"`
	Why    string                  `json:"why,omitempty"`
	Holes  []capability.Capability `json:"holes"`
}

func (a *app) testPolicy(folder, path string) error {
	cases, err := readCases(path)
	if err != nil {
		return fmt.Errorf("%s: %w", capability.Printable(path), err)
	}
	h := wire.Hello{}
	if folder != "" {
		if h.Draft, err = filepath.Abs(folder); err != nil {
			return err
		}
	}
	q := wire.Question{}
	for _, c := range cases {
		q.Requests = append(q.Requests, wire.Request{Capability: c.Capability, Single: c.Single, Context: c.Context, As: c.User})
	}
	got, err := a.askPolicies(h, q)
	if err != nil {
		return err
	}
	all, failed := []policyOutcome{}, 0
	for i, c := range cases {
		o := c.compare(got.Verdicts[i])
		if !o.Passed {
			failed++
		}
		all = append(all, o)
	}
	if err := a.printOutcomes(all, cases, failed); err != nil {
		return err
	}
	if failed > 0 {
		return &exitError{status: 1}
	}
	return nil
}

func (a *app) printOutcomes(all []policyOutcome, cases []policyCase, failed int) error {
	if a.json {
		return a.printJSON(all)
	}
	for i, o := range all {
		if o.Passed {
			continue
		}
		printf(a.out, "%s: %s, want %s\n", capability.Printable(o.Name), o.Got, cases[i].Expect)
		a.printRows([][]string{{"capability", cases[i].Capability.Display()}, {"policy", o.By}, {"why", o.Why}})
		for _, h := range o.Holes {
			a.printRows([][]string{{"closed", h.Display()}})
		}
	}
	printf(a.out, "%d cases, %d as expected.\n", len(all), len(all)-failed)
	return nil
}

// readCases reads cases. One that could mean something else than its author thinks
// is an error.
func readCases(path string) (cases []policyCase, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&cases); err != nil {
		return nil, err
	}
	if len(cases) == 0 {
		return nil, errors.New("there are no cases")
	}
	for i, c := range cases {
		switch {
		case c.Expect != expectForbidden && c.Expect != expectOpen:
			return nil, fmt.Errorf("case %d: expect %q: want %s or %s", i+1, c.Expect, expectForbidden, expectOpen)
		case !c.Capability.Resolved():
			return nil, fmt.Errorf("case %d: the capability %q: want one with an absolute path", i+1, c.Capability.Display())
		case c.Expect == expectForbidden && len(c.Holes) > 0:
			return nil, fmt.Errorf("case %d: what is forbidden has no holes", i+1)
		}
	}
	return cases, nil
}

// compare compares a verdict with what is expected.
func (c policyCase) compare(v wire.Verdict) policyOutcome {
	o := policyOutcome{Name: c.Name, Got: expectOpen, Why: v.Why, Holes: []capability.Capability{}}
	id := map[string]bool{}
	if v.Forbidden && v.By != nil {
		o.Got, o.By = expectForbidden, v.By.String()
		id[v.By.ID] = true
	}
	for _, h := range v.Holes {
		o.Holes = append(o.Holes, h.Capability)
		id[h.By.ID] = true
	}
	same := len(o.Holes) == len(c.Holes) && !slices.ContainsFunc(c.Holes, func(h capability.Capability) bool { return !slices.Contains(o.Holes, h) })
	o.Passed = o.Got == c.Expect && same && (c.By == "" || id[c.By])
	return o
}
