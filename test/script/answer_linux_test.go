package script_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An answerer answers the questions of a program as they come, from another
// process each time, as a person at another terminal does.
type answerer struct {
	b      *bench
	answer func(waiting) []string

	stop func() // ends it, and waits until it has

	mu  sync.Mutex
	all []waiting // guarded by mu; in the order in which they were met
}

// answering begins to answer every question of this bench. answer says by which
// command: the words before the id.
func (b *bench) answering(t *testing.T, answer func(waiting) []string) *answerer {
	t.Helper()
	a := &answerer{b: b, answer: answer}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		known := map[string]bool{}
		for {
			for _, q := range a.list(t) {
				if known[q.Question.ID] || q.State != "waiting" {
					continue
				}
				known[q.Question.ID] = true
				a.mu.Lock()
				a.all = append(a.all, q)
				a.mu.Unlock()
				if words := append(answer(q), q.Question.ID); len(words) > 1 {
					a.say(t, words...)
				}
			}
			select {
			case <-end:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	a.stop = sync.OnceFunc(func() {
		close(end)
		<-done
	})
	t.Cleanup(a.stop)
	return a
}

func (a *answerer) ambit(args ...string) (out, problem string, err error) {
	cmd := exec.Command(binary, args...)
	cmd.Dir, cmd.Env = a.b.dir, a.b.env
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	return string(text), said.String(), err
}

// say gives the answer that the last of its words is the question of. It may be over
// by then: of two that are listed, the answer to the first can cover the second, or
// end who puts it.
func (a *answerer) say(t *testing.T, words ...string) {
	_, problem, err := a.ambit(words...)
	id := words[len(words)-1]
	if err != nil && slices.ContainsFunc(a.list(t), func(q waiting) bool { return q.Question.ID == id && q.State == "waiting" }) {
		t.Errorf("%q: %v: %s, and it waits", words, err, problem)
	}
}

func (a *answerer) list(t *testing.T) (all []waiting) {
	text, problem, err := a.ambit("approvals", "--json")
	if err == nil {
		err = json.Unmarshal([]byte(text), &all)
	}
	if err != nil {
		t.Errorf("%v: %s%s", err, text, problem)
	}
	return all
}

// put are the capabilities that were asked about, those in the bench's home
// from there, sorted.
func (a *answerer) put() (list []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.all {
		list = append(list, strings.Replace(q.Question.Capability, ":"+a.b.dir, ":~", 1))
	}
	slices.Sort(list)
	return list
}

// yes grants the directory where that is offered, and otherwise what was
// touched. Secrets and the network are refused.
func yes(span string) func(waiting) []string {
	return func(q waiting) []string {
		if q.Question.Sensitive != "" || strings.HasPrefix(q.Question.Capability, "net.") {
			return []string{"deny", "--for", span}
		}
		scope := q.Question.Offers[0].Scope
		for _, o := range q.Question.Offers {
			if o.Scope == "dir" {
				scope = o.Scope
			}
		}
		return []string{"approve", "--broad", "--scope", scope, "--for", span}
	}
}
