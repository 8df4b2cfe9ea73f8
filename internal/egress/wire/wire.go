// Package wire is what an egress process and the launcher of its sandbox say to
// each other: messages in JSON, one a line, over one socket.
//
// The egress process asks and tells; the launcher answers, and says when grants
// have changed. The set of messages is closed: one that is not understood ends
// the conversation, and with it the sandbox.
//
// It imports nothing of the plane, which only the egress process is made of.
package wire

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// maxMessage bounds a message: an egress process that was taken over must not
// fill the launcher.
const maxMessage = 64 << 10

// WithAuthority is the argument by which the egress process makes an authority for
// its sandbox, and tells its certificate before anything else.
const WithAuthority = "authority"

// Hello is the first message, from the launcher. Beside it go the descriptors
// of the link, in the order of Descriptors.
type Hello struct {
	Subject decision.Subject
	CanAsk  bool
	// Known are the capabilities by which names may be known; with Any all are.
	Known []capability.Capability
	Any   bool
	Rules Rules
	// Opens: connections are opened with the authority whose certificate was told.
	Opens bool `json:",omitempty"`

	Header bool // a virtio_net header goes before each frame
	Ether  bool // frames are Ethernet's
	IPv6   bool // two seeds more are there
	Far    bool `json:",omitempty"` // the sandbox has a kernel of its own: nothing is there but the link
	MTU    uint32
	Guest  []byte // link address of the sandbox's end
	// Secrets are those that the sandbox may use, without a value among them.
	Secrets []Placeholder
}

// Placeholder stands in the sandbox for a secret.
type Placeholder struct {
	Name    string // of the secret
	Text    string
	Binding binding.Binding
}

// Descriptors is how many go with Hello: the link, a socket that tells of the
// sandbox's sockets, and seeds for IPv4 and, where there is IPv6, for IPv6; of one
// that is far only the link.
func (h Hello) Descriptors() int {
	switch {
	case h.Far:
		return 1
	case h.IPv6:
		return 6
	}
	return 4
}

// Rules are capabilities about requests: those that permit some, and those that
// deny some.
type Rules struct {
	Permit []capability.Capability `json:",omitempty"`
	Deny   []capability.Capability `json:",omitempty"`
	// Addresses: something may deny addresses, so each that a name leads to is asked about.
	Addresses bool `json:",omitempty"`
}

// Message is any other message; exactly one field but ID and Any is set.
type Message struct {
	ID uint64 `json:"id,omitempty"` // of a question, and of its answer

	// From the egress process.
	Trust []byte            `json:"trust,omitempty"` // its authority, as it stands in a bundle; before Hello, if one is wanted
	Ready bool              `json:"ready,omitempty"` // packets are answered
	Fault string            `json:"fault,omitempty"` // it cannot go on
	Check *decision.Request `json:"check,omitempty"`
	Leads *decision.Request `json:"leads,omitempty"` // an allowed name leads to that address: is it denied?
	Ask   *Ask              `json:"ask,omitempty"`
	Give  bool              `json:"give_up,omitempty"` // nobody waits for the answer with this ID
	Flow  *Flow             `json:"flow,omitempty"`
	Who   *uint32           `json:"who,omitempty"`  // has a socket, by its inode
	Made  *Request          `json:"made,omitempty"` // a request over an opened connection has ended
	Use   *Use              `json:"use,omitempty"`  // of a secret, by one request

	// From the egress process, with the ID of what the launcher wanted.
	Published *Published `json:"published,omitempty"`
	Flows     *Flows     `json:"flows,omitempty"`

	// From the launcher.
	Decision *decision.Decision       `json:"decision,omitempty"`
	Asked    *string                  `json:"asked,omitempty"`   // why nobody answered; "" where somebody did
	Recheck  *[]capability.Capability `json:"recheck,omitempty"` // grants have changed; by what names may be known now
	Any      bool                     `json:"any,omitempty"`     // with Recheck: all names may
	Rules    *Rules                   `json:"rules,omitempty"`   // with Recheck: for requests
	Program  *Program                 `json:"program,omitempty"` // has that socket
	Publish  *Publish                 `json:"publish,omitempty"`
	List     bool                     `json:"list,omitempty"` // the flows that live
	Secret   *Secret                  `json:"secret,omitempty"`

	heard *Heard // nil: nothing was heard before
}

// Use is what a secret is wanted for: one request toward its destination.
type Use struct {
	Name   string // of the secret
	Method string
	Path   string
}

// Secret is the answer to a Use: the value, or why there is none.
type Secret struct {
	Value  []byte `json:",omitempty"`
	Reason string `json:",omitempty"` // of the closed list of a flow's ends
	Words  string `json:",omitempty"`
}

// Format prints a Secret without its value, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "{%d bytes %q %q}", len(s.Value), s.Reason, s.Words) // whoever prints hears of it
}

// Publish has a port of the sandbox be reached from the host's loopback, by a
// port there; 0 is the same.
type Publish struct{ Port, Host uint16 }

// Published is what came of it: an address of the host, or why there is none.
type Published struct {
	At    netip.AddrPort
	Fault string
	Taken bool // somebody has the port of the host
}

// Flows are some of the flows that live; More follow with the same ID.
type Flows struct {
	Some []Flow
	More bool
}

// MaxFlows is how many flows go into one message.
const MaxFlows = 32

// Program is a process of the sandbox. The zero value is one that is not known.
type Program struct {
	Name string
	PID  int
}

// Ask is a question to a person about a flow that waits.
type Ask struct {
	Request decision.Request
	Flow    Flow
}

// Flow is what is told of a connection or an exchange of datagrams.
type Flow struct {
	ID         uint64
	Decision   string
	Capability capability.Capability
	UDP        bool
	Inbound    bool
	From       netip.AddrPort // who came, if it is inbound
	To         netip.AddrPort // as the program sees it
	Name       string         // that To stands for
	Dialled    netip.AddrPort
	Program    Program
	Begun      time.Time
	Connected  time.Time // zero before it is
	Ended      time.Time // zero while it lives
	In, Out    uint64
	End, Why   string
	Times      int // how often the same was refused before and not told
	Again      int `json:",omitempty"` // how many of the answers that it rests on were given before
}

// Request is what is told of a request: of one that has ended, or that goes on
// because of an answer that was given before.
type Request struct {
	Flow         uint64 // the connection
	To           capability.Capability
	Decision     string
	Method, Path string
	Status       int
	In, Out      uint64            // bytes of bodies
	Begun, Ended time.Time         // Ended is zero while it goes on
	End, Why     string            // why it was refused; "" if it was not
	Again        []capability.Kind `json:",omitempty"` // that it used of answers given before, and that were not told yet
}

// NewConn makes a line that carries messages of a stream.
func NewConn(s io.ReadWriter) *companion.Conn { return companion.NewConn(s, maxMessage) }

// Line is a message as it is sent.
func Line(m any) ([]byte, error) { return companion.Line(m, maxMessage) }
