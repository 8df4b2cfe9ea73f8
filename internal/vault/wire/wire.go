// Package wire is what ambit and the process of the vault say to each other, and
// the side of ambit: one question at a time, and its answer.
//
// The first message says where the vault is and whether it may be changed. A value
// goes one way in a Change and the other way in an Answer, and stands in no error.
//
// It imports nothing that decrypts, which only the process of the vault is made of.
package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/core/capability"
)

// ErrNotFound says that there is no secret of that name.
var ErrNotFound = errors.New("there is no such secret")

// maxMessage bounds a message.
const maxMessage = 64 << 10

// maxEntries bounds a list.
const maxEntries = 100_000

// Entry is what may be known of a secret: all but its value.
type Entry struct {
	Name    string          `json:"name"`
	Binding binding.Binding `json:"binding"`
	Created time.Time       `json:"created"`
	Changed time.Time       `json:"changed"`
}

// Hello is the first message, from ambit.
type Hello struct {
	Dir   string
	Write bool // it may be changed, and made
}

// Question is any other message of ambit; exactly one field is set.
type Question struct {
	List   bool    `json:"list,omitempty"`
	Value  string  `json:"value,omitempty"`  // of this secret, and what may be known of it
	Set    *Change `json:"set,omitempty"`    // put this in the place of what has the name
	Remove string  `json:"remove,omitempty"` // take this out
}

// Change is a secret as it is to be.
type Change struct {
	Name    string
	Binding binding.Binding
	Value   []byte
}

// Answer is what came of a question. To a list there is one for each entry, and
// one without.
type Answer struct {
	Entry   *Entry `json:"entry,omitempty"`
	Value   []byte `json:"value,omitempty"`
	Missing bool   `json:"missing,omitempty"` // there is no secret of that name
	Fault   string `json:"fault,omitempty"`
}

// Format prints a Change without its value, whatever the verb.
func (c Change) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{%q %d bytes}", c.Name, len(c.Value)) // whoever prints hears of it
}

// Format prints an Answer without its value, whatever the verb.
func (a Answer) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{%d bytes %v %q}", len(a.Value), a.Missing, a.Fault) // whoever prints hears of it
}

// NewConn makes a line that carries messages of a stream.
func NewConn(s io.ReadWriter) *companion.Conn { return companion.NewConn(s, maxMessage) }

// Client asks the process of a vault. It is safe for concurrent use. A nil Client
// is that of a vault in which there is nothing.
type Client struct {
	conn *companion.Conn

	mu   sync.Mutex    // orders questions
	last chan struct{} // closed when the last question's answer was taken; nil: there was none; guarded by mu
}

// NewClient begins to speak to the process of a vault.
func NewClient(s io.ReadWriter, h Hello) (*Client, error) {
	c := &Client{conn: NewConn(s)}
	if err := c.conn.Send(h); err != nil {
		return nil, fmt.Errorf("ask the process of the vault: %w", err)
	}
	return c, nil
}

// asked is a question that was put. Its answers are to be taken, once: those of later
// questions come behind them.
type asked struct {
	conn   *companion.Conn
	before chan struct{} // closed when the answers before its own were taken; nil: there are none
	taken  chan struct{}
	err    error
}

// put puts a question.
func (c *Client) put(q Question) asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := asked{conn: c.conn, before: c.last, taken: make(chan struct{})}
	a.err = c.conn.Send(q)
	c.last = a.taken
	return a
}

// hear hands the answers of a question to take, until that says that there are no
// more.
func (a asked) hear(take func(Answer) (more bool)) error {
	defer close(a.taken)
	if a.before != nil {
		<-a.before
	}
	err := a.err
	for more := true; more && err == nil; {
		var answer Answer
		if err = a.conn.Receive(&answer); err != nil {
			break
		}
		switch {
		case answer.Missing:
			return ErrNotFound
		case answer.Fault != "":
			return errors.New(capability.Printable(answer.Fault))
		}
		more = take(answer)
	}
	if err != nil {
		return fmt.Errorf("ask the process of the vault: %w", err)
	}
	return nil
}

func (c *Client) ask(q Question, take func(Answer) (more bool)) error { return c.put(q).hear(take) }

// List returns what there is, by name.
func (c *Client) List() (all []Entry, err error) {
	if c == nil {
		return nil, nil
	}
	err = c.ask(Question{List: true}, func(a Answer) bool {
		if a.Entry == nil || len(all) == maxEntries {
			return false
		}
		all = append(all, *a.Entry)
		return true
	})
	return all, err
}

// Entry returns what may be known of one secret.
func (c *Client) Entry(name string) (Entry, error) {
	e, _, err := c.Value(name)
	return e, err
}

// Value returns a secret, as it is now.
//
// Security: the caller has had it decided, just now, that this may be.
func (c *Client) Value(name string) (Entry, binding.Value, error) { return c.Want(name).Value() }

// Wanted is a secret that the process of the vault was asked for. Value is to be called,
// once: answers to later questions wait for it.
type Wanted struct {
	name string
	asked
}

// Want asks for a secret, and does not wait: the process of the vault reads while the
// caller does something else. The answer is taken by Value.
func (c *Client) Want(name string) Wanted {
	if c == nil {
		return Wanted{name: name}
	}
	return Wanted{name: name, asked: c.put(Question{Value: name})}
}

// Value returns the secret, as it was when it was asked for or since.
//
// Security: the caller has had it decided, just now, that this may be.
func (w Wanted) Value() (e Entry, v binding.Value, err error) {
	if w.conn == nil {
		return e, v, fmt.Errorf("%s: %w", w.name, ErrNotFound)
	}
	var text []byte
	err = w.hear(func(a Answer) bool {
		if a.Entry != nil {
			e, text = *a.Entry, a.Value
		}
		return false
	})
	if errors.Is(err, ErrNotFound) {
		return e, v, fmt.Errorf("%s: %w", w.name, err)
	}
	if err != nil {
		return e, v, err
	}
	if e.Name != w.name || e.Binding.Check() != nil {
		return Entry{}, v, errors.New("the process of the vault answered something else")
	}
	if v, err = binding.NewValue(string(text)); err == nil {
		err = e.Binding.Fits(v)
	}
	if err != nil {
		return e, binding.Value{}, err
	}
	return e, v, nil
}

// Set puts a secret in the place of one of that name, if there is one.
func (c *Client) Set(name string, b binding.Binding, value binding.Value) error {
	return c.change(Question{Set: &Change{Name: name, Binding: b, Value: []byte(value.Reveal())}})
}

// Remove takes a secret out.
func (c *Client) Remove(name string) error {
	if c == nil {
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	}
	err := c.change(Question{Remove: name})
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}

func (c *Client) change(q Question) error { return c.ask(q, func(Answer) bool { return false }) }
