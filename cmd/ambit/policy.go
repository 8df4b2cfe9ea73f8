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

// readPolicy reads the managed policy: the file, and the folder of policies beside
// it, which is asked about every request. No file is no policy; what cannot be read
// or understood stops every launch.
func readPolicy(b capability.Base, m *managed) (decision.Policy, error) {
	p := decision.Policy{}
	text, err := os.ReadFile(policyFile)
	switch {
	case err == nil:
		if p, err = parsePolicy(text, b); err != nil {
			return decision.Policy{}, fmt.Errorf("policy %s: %w", policyFile, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return decision.Policy{}, fmt.Errorf("read the policy: %w", err)
	}
	if err := m.ready(); err != nil {
		return decision.Policy{}, err
	}
	p.Judge = m
	return p, nil
}

// parsePolicy takes nothing that could be meant otherwise: an unknown key, a key
// that stands twice, a list or a capability that is null or empty.
func parsePolicy(text []byte, b capability.Base) (p decision.Policy, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	switch t, err := dec.Token(); {
	case errors.Is(err, io.EOF):
		return p, errors.New("the file is empty; a policy without rules is {}")
	case err != nil:
		return p, err
	case t != json.Delim('{'):
		return p, errors.New("want an object with forbid and preapprove")
	}
	lists := map[string]struct {
		to   *[]capability.Capability
		mean meaning
	}{"forbid": {&p.Forbid, closing}, "preapprove": {&p.Preapprove, settled}}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return p, err
		}
		list, ok := lists[fmt.Sprint(key)]
		if !ok {
			return p, fmt.Errorf("key %q: want forbid and preapprove, each once", key)
		}
		delete(lists, fmt.Sprint(key))
		if *list.to, err = policyList(dec, b, list.mean); err != nil {
			return p, fmt.Errorf("%s: %w", key, err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return p, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("something stands after the end")
	}
	return p, nil
}

// policyList reads a list of capabilities as what they mean here.
func policyList(dec *json.Decoder, b capability.Base, mean meaning) (list []capability.Capability, err error) {
	var texts []string
	if err := dec.Decode(&texts); err != nil {
		return nil, err
	}
	if texts == nil {
		return nil, errors.New("want a list, as in []")
	}
	for _, text := range texts {
		c, err := capability.Parse(text) // null is the empty text, which is none
		if err != nil {
			return nil, err
		}
		means, err := mean(c, b)
		if err != nil {
			return nil, err
		}
		list = append(list, means...)
	}
	return list, nil
}

// A meaning says what a written capability means on this host.
type meaning func(capability.Capability, capability.Base) ([]capability.Capability, error)

func settled(c capability.Capability, b capability.Base) ([]capability.Capability, error) {
	c, err := settle(c, b)
	return []capability.Capability{c}, err
}
