// Command ambit-webhook asks one question by HTTP. `ambit run --ask-url` starts
// it; it takes a task from its standard input and is of no use by hand.
//
// It is a program of its own so that a run that asks nobody by HTTP does not
// pay for HTTP and TLS at its start.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/approval/remote"
	"ambit.dev/ambit/internal/approval/webhook"
)

// setup is what `ambit` says of the service. The same stands in cmd/ambit.
type setup struct {
	URL    string `json:"url"`
	Secret string `json:"secret"`
}

func main() {
	if err := remote.Serve(context.Background(), os.Stdin, os.Stdout, front); err != nil {
		fmt.Fprintf(os.Stderr, "ambit-webhook: %v\n", err)
		os.Exit(1)
	}
}

func front(text string) (approval.Front, error) {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("read the set-up: %w", err)
	}
	secret, err := webhook.NewSecret(s.Secret)
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Config{URL: s.URL, Secret: secret, Now: time.Now})
}
