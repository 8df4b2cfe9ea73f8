package guest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"ambit.dev/ambit/test/guest/job"
)

// A transcript is what one job of the guest left.
type transcript struct {
	out   bytes.Buffer
	ended bool
	err   string
	took  time.Duration
}

func (tr *transcript) add(e job.Event) {
	tr.out.Write(e.Out)
	if e.Ended {
		tr.ended, tr.err, tr.took = true, e.Error, e.Took
	}
}

// A result is one test that ran in the guest, without its subtests.
type result struct {
	name, action string
	output       string // of it and its subtests
}

// results reads what a test program said. A test that did not end is there
// with the action "fail".
func (tr *transcript) results() ([]result, error) {
	cmd := exec.Command("go", "tool", "test2json", "-t") //nolint:noctx // it ends with its input
	cmd.Stdin = bytes.NewReader(tr.out.Bytes())
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("test2json: %w", err)
	}
	var all []*result
	byName := map[string]*result{}
	for line := range bytes.Lines(out) {
		var e struct{ Action, Test, Output string }
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("test2json: %w", err)
		}
		if e.Test == "" {
			continue
		}
		top, _, sub := strings.Cut(e.Test, "/")
		r := byName[top]
		if r == nil {
			r = &result{name: top, action: "fail"}
			byName[top] = r
			all = append(all, r)
		}
		r.output += e.Output
		switch e.Action {
		case "pass", "skip", "fail":
			if !sub {
				r.action = e.Action
			}
		}
	}
	results := make([]result, 0, len(all))
	for _, r := range all {
		results = append(results, *r)
	}
	return results, nil
}
