package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// policyFile is laid down by whoever manages the machine. It may only tighten
// what people grant; what it pre-approves nobody is asked about.
const policyFile = "/etc/ambit/policy.json"

// readPolicy reads the managed policy. No file is no policy; a file that cannot
// be read or understood stops every launch.
func readPolicy(b capability.Base) (decision.Policy, error) {
	text, err := os.ReadFile(policyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return decision.Policy{}, nil
	}
	if err != nil {
		return decision.Policy{}, fmt.Errorf("read the policy: %w", err)
	}
	p, err := parsePolicy(text, b)
	if err != nil {
		return decision.Policy{}, fmt.Errorf("policy %s: %w", policyFile, err)
	}
	return p, nil
}

func parsePolicy(text []byte, b capability.Base) (p decision.Policy, err error) {
	var file struct {
		Forbid     []capability.Capability `json:"forbid"`
		Preapprove []capability.Capability `json:"preapprove"`
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		return p, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("something stands after the end")
	}
	for _, list := range []struct {
		from []capability.Capability
		to   *[]capability.Capability
	}{{file.Forbid, &p.Forbid}, {file.Preapprove, &p.Preapprove}} {
		for _, c := range list.from {
			if c, err = settle(c, b); err != nil {
				return p, err
			}
			*list.to = append(*list.to, c)
		}
	}
	return p, nil
}
