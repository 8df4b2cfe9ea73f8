package main

import (
	"context"
	"errors"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/egress/secret"
	"ambit.dev/ambit/internal/egress/wire"
)

// secrets gets values from the launcher, which decides about each use.
type secrets struct{ *launcher }

// maxPath bounds what the launcher is told of a path.
const maxPath = 2048

// Value asks for the value of a secret, for one request.
func (s secrets) Value(ctx context.Context, u secret.Use) (binding.Value, error) {
	use := wire.Use{Name: u.Name, Method: u.Method, Path: u.Path[:min(len(u.Path), maxPath)]}
	answer, err := s.question(ctx, wire.Message{Use: &use})
	switch {
	case err != nil:
		return binding.Value{}, err
	case answer.Secret == nil:
		return binding.Value{}, errors.New("the launcher did not answer")
	case answer.Secret.Reason != "":
		return binding.Value{}, &request.Refused{Reason: answer.Secret.Reason, Words: answer.Secret.Words}
	}
	return binding.NewValue(string(answer.Secret.Value))
}

// filler puts secrets into requests; nil where the sandbox has none.
func (l *launcher) filler(h wire.Hello) (request.Filler, error) {
	if len(h.Secrets) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to fill in
	}
	var all []secret.Placeholder
	for _, p := range h.Secrets {
		all = append(all, secret.Placeholder{Name: p.Name, Text: p.Text, Binding: p.Binding})
	}
	return secret.New(all, secrets{l})
}
