// Package wire is what ambit and ambit-policy say to each other, and the side of
// ambit: requests, and which managed policies forbid them.
//
// It imports nothing that reads Cedar, which only ambit-policy is made of.
package wire

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/capability"
)

// Dir is where an administrator keeps the policies of a machine. It is no setting:
// whoever is bound by them could change it.
const Dir = "/etc/ambit/policy"

// Suffix is that of a file of policies.
const Suffix = ".cedar"

// maxMessage bounds a message.
const maxMessage = 1 << 20

// Hello is the first message, from ambit.
type Hello struct {
	// Draft names another folder, of policies that are being written: who owns it
	// is not looked at. "" is Dir.
	Draft string `json:"draft,omitempty"`
}

// A Request is what is to be done, and by whom.
type Request struct {
	Capability capability.Capability `json:"capability"` // resolved
	// Single says that a path is that of one object, with nothing beneath it.
	Single bool `json:"single,omitempty"`
	// AnyPath says that it is one request over a connection, whose path may be any.
	AnyPath bool `json:"any_path,omitempty"`
	// Leads is of an address to which the host of the capability leads; zero: that is
	// not known, or there is none.
	Leads   capability.Capability `json:"leads,omitzero"`
	Context Context               `json:"context,omitzero"`
	// As is somebody else than who asks, for tests of policies.
	As *User `json:"as,omitempty"`
}

// User is a principal. Of a request it is who runs ambit-policy, as the system's
// list of users has it.
type User struct {
	UID    int    `json:"uid"`
	Name   string `json:"name"`
	Home   string `json:"home,omitempty"`
	Groups []int  `json:"groups,omitempty"`
}

// Context is what is known of a request beside its capability.
type Context struct {
	Org     string `json:"org,omitempty"`  // which it is for; "" for the user alone
	Pack    string `json:"pack,omitempty"` // "" for a command without one
	Digest  string `json:"packDigest,omitempty"`
	Signer  string `json:"signer,omitempty"`
	Tier    string `json:"tier,omitempty"`
	Session string `json:"session,omitempty"`
	Program string `json:"program,omitempty"` // which asks; "" where any of the session's may
	Asked   bool   `json:"asked,omitempty"`   // a person can be asked
}

// Question is any other message of ambit; exactly one field is set.
type Question struct {
	Requests []Request `json:"requests,omitempty"`
	List     bool      `json:"list,omitempty"` // what policies there are
}

// A Policy is one of a file.
type Policy struct {
	File    string `json:"file"` // its name in the folder
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	ID      string `json:"id"`               // of the annotation @id, else its place among those of the file
	Effect  string `json:"effect"`           // permit or forbid
	Reason  string `json:"reason,omitempty"` // of the annotation @reason
	Warning string `json:"warning,omitempty"`
}

// String names a policy as the log does.
func (p Policy) String() string { return fmt.Sprintf("%s:%d (%s)", p.File, p.Line, p.ID) }

// A Verdict is what the policies say of one request.
type Verdict struct {
	Forbidden bool    `json:"forbidden,omitempty"`
	By        *Policy `json:"by,omitempty"`    // which forbids it
	Why       string  `json:"why,omitempty"`   // where it does not forbid all of it, why it forbids it
	Holes     []Hole  `json:"holes,omitempty"` // what of it stays closed
}

// A Hole is what stays closed inside of what is allowed.
type Hole struct {
	Capability capability.Capability `json:"capability"`
	By         Policy                `json:"by"`
}

// Answer is what came of a question.
type Answer struct {
	Set      string    `json:"set,omitempty"` // digest of the policies
	Verdicts []Verdict `json:"verdicts,omitempty"`
	Policies []Policy  `json:"policies,omitempty"`
	User     *User     `json:"user,omitempty"`
	Fault    string    `json:"fault,omitempty"`
}

// NewConn makes a line that carries messages of a stream.
func NewConn(s io.ReadWriter) *companion.Conn { return companion.NewConn(s, maxMessage) }

// A Client asks. It is safe for concurrent use.
type Client struct {
	mu   sync.Mutex // held from a question to its answer
	conn *companion.Conn
}

// NewClient begins to speak to ambit-policy.
func NewClient(s io.ReadWriter, h Hello) (*Client, error) {
	c := &Client{conn: NewConn(s)}
	if err := c.conn.Send(h); err != nil {
		return nil, fmt.Errorf("ask the process of policies: %w", err)
	}
	return c, nil
}

// Fault is an error of the policies themselves: they cannot be used as they are.
type Fault struct{ Text string }

func (f *Fault) Error() string { return f.Text }

// Ask puts a question. An answer has as many verdicts as there were requests.
func (c *Client) Ask(q Question) (a Answer, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err = c.conn.Send(q); err == nil {
		err = c.conn.Receive(&a)
	}
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("ask the process of policies: %w", err)
	case a.Fault != "":
		return Answer{}, &Fault{capability.Printable(a.Fault)}
	case len(a.Verdicts) != len(q.Requests) || a.Set == "":
		return Answer{}, errors.New("the process of policies answered something else")
	}
	return a, nil
}
