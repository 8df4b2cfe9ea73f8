package vault

import (
	"errors"
	"io"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/vault/wire"
)

// Serve answers questions until whoever asks is gone. It waits for no answer that
// is under way then, as that may wait for another writer: a change is made as a
// whole or not at all.
func (v *Vault) Serve(c *companion.Conn) error {
	questions := make(chan wire.Question, 1)
	defer close(questions)
	go func() {
		for q := range questions {
			_ = v.answer(c, q) // nobody is there any more, which is heard below
		}
	}()
	for {
		var q wire.Question
		if err := c.Receive(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		questions <- q
	}
}

// answer answers one question.
func (v *Vault) answer(c *companion.Conn, q wire.Question) error {
	a, err := v.do(q, func(e Entry) error { return c.Send(wire.Answer{Entry: &e}) })
	switch {
	case errors.Is(err, ErrNotFound):
		a = wire.Answer{Missing: true}
	case err != nil:
		a = wire.Answer{Fault: err.Error()}
	}
	return c.Send(a)
}

// do does what a question says; what a list has it hands to entry.
func (v *Vault) do(q wire.Question, entry func(Entry) error) (a wire.Answer, err error) {
	switch {
	case q.List:
		all, err := v.List()
		for _, e := range all {
			if err := entry(e); err != nil {
				return a, err
			}
		}
		return a, err
	case q.Value != "":
		e, value, err := v.Value(q.Value)
		if err != nil {
			return a, err
		}
		return wire.Answer{Entry: &e, Value: []byte(value.Reveal())}, nil
	case q.Set != nil:
		value, err := binding.NewValue(string(q.Set.Value))
		if err != nil {
			return a, err
		}
		return a, v.Set(q.Set.Name, q.Set.Binding, value)
	case q.Remove != "":
		return a, v.Remove(q.Remove)
	default:
		return a, errors.New("a question that is not understood")
	}
}
