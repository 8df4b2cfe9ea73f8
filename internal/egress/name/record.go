package name

import (
	"encoding/binary"

	"golang.org/x/net/dns/dnsmessage"

	"ambit.dev/ambit/internal/egress/address"
)

// Records are those that were granted by name and type. They come from the host's
// resolver: what is asked for leaves the machine, and what is answered comes in.
type Records interface {
	// May reports, quickly, whether records of a type may be asked for.
	May(name string, kind dnsmessage.Type) bool
	// Look asks for them. It may take as long as the host's resolver does.
	Look(name string, kind dnsmessage.Type) ([]dnsmessage.ResourceBody, dnsmessage.RCode)
}

// Bounds of answers and lookups.
const (
	maxRecords  = 64
	maxLookups  = 16  // at the same time
	plainAnswer = 512 // bytes of an answer in a datagram (RFC 1035, section 2.3.4)
	largeAnswer = 1232
)

// looks reports whether a question is one for Records, and about which name. The
// address of a name that may be connected to is the one that stands for it here;
// only those of other names can be looked up.
func (s *Server) looks(q dnsmessage.Question) (string, bool) {
	if s.Records == nil || q.Class != dnsmessage.ClassINET {
		return "", false
	}
	name, err := address.Name(q.Name.String())
	if err != nil || own(name) || addresses(q.Type) && s.Known != nil && s.Known(name) {
		return "", false
	}
	return name, s.Records.May(name, q.Type)
}

func addresses(kind dnsmessage.Type) bool {
	return kind == dnsmessage.TypeA || kind == dnsmessage.TypeAAAA
}

// own reports whether a name has one meaning here, whoever may look up what.
func own(name string) bool {
	return name == canary || name == "localhost" || address.Under(name, "localhost")
}

// slow reports whether the answer to a query takes a lookup.
func (s *Server) slow(query []byte) bool {
	var p dnsmessage.Parser
	if h, err := p.Start(query); err != nil || h.Response || h.OpCode != 0 {
		return false
	}
	questions, err := p.AllQuestions()
	if err != nil || len(questions) != 1 {
		return false
	}
	_, ok := s.looks(questions[0])
	return ok
}

func (s *Server) look(q dnsmessage.Question, name string) (dnsmessage.RCode, []dnsmessage.Resource) {
	bodies, code := s.Records.Look(name, q.Type)
	var all []dnsmessage.Resource
	for _, b := range bodies[:min(len(bodies), maxRecords)] {
		all = append(all, record(q, b)...)
	}
	return code, all
}

// fit cuts an answer that is too large for a datagram down to one that says so.
func fit(query, reply []byte) []byte {
	limit := plainAnswer
	if len(query) >= 12 && binary.BigEndian.Uint16(query[10:]) > 0 { // it has the record of EDNS, or another
		limit = largeAnswer
	}
	if len(reply) <= limit {
		return reply
	}
	var m dnsmessage.Message
	if m.Unpack(reply) != nil {
		return nil
	}
	m.Truncated, m.Answers = true, nil
	out, err := m.Pack()
	if err != nil {
		return nil
	}
	return out
}
