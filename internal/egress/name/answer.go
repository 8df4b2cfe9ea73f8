package name

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"ambit.dev/ambit/internal/egress/address"
)

// canary is the name by whose absence a network tells browsers not to look
// names up elsewhere (Mozilla, "Canary domain").
const canary = "use-application-dns.net"

// A Server answers lookups. Its fields are set before it is used; its methods
// are safe for concurrent use.
type Server struct {
	Table *Table
	// Known reports whether the sandbox may know that a name exists, quickly: it
	// is granted, or may be asked for. nil knows none.
	Known func(name string) bool
	// Records, if not nil, has records of other types. They leave the machine.
	Records Records
	// Refused, if not nil, is told of what was asked for and not known, and returns
	// soon.
	Refused func(name string, kind dnsmessage.Type)
}

// Answer returns the answer to one query, or nil for what gets none: what is no
// query, or cannot be read as far as its first bytes.
//
// Security: the query is written by the sandbox. Nothing of it is kept but a
// canonical name that Known approved, in a bounded table.
func (s *Server) Answer(query []byte) []byte {
	var p dnsmessage.Parser
	h, err := p.Start(query)
	if err != nil || h.Response {
		return nil
	}
	reply := dnsmessage.Message{Header: dnsmessage.Header{
		ID: h.ID, Response: true, OpCode: h.OpCode, RecursionDesired: h.RecursionDesired, RecursionAvailable: true,
	}}
	questions, err := p.AllQuestions()
	switch {
	case h.OpCode != 0:
		reply.RCode = dnsmessage.RCodeNotImplemented
	case err != nil || len(questions) != 1:
		reply.RCode = dnsmessage.RCodeFormatError
	default:
		reply.Questions = questions
		reply.RCode, reply.Answers = s.answer(questions[0])
	}
	out, err := reply.Pack()
	if err != nil {
		return nil
	}
	return out
}

func (s *Server) answer(q dnsmessage.Question) (dnsmessage.RCode, []dnsmessage.Resource) {
	if q.Class != dnsmessage.ClassINET {
		return dnsmessage.RCodeNotImplemented, nil
	}
	if name, ok := s.looks(q); ok {
		return s.look(q, name)
	}
	if addr, ok := reverse(q.Name.String()); ok {
		return s.pointer(q, addr)
	}
	name, err := address.Name(q.Name.String())
	switch {
	case err != nil || name == canary:
		return dnsmessage.RCodeNameError, nil
	case name == "localhost" || address.Under(name, "localhost"):
		return dnsmessage.RCodeSuccess, loopback(q)
	case s.Known == nil || !s.Known(name):
		s.refused(name, q.Type)
		return dnsmessage.RCodeNameError, nil
	case q.Type != dnsmessage.TypeA:
		if q.Type != dnsmessage.TypeAAAA { // which clients ask for beside every A
			s.refused(name, q.Type)
		}
		return dnsmessage.RCodeSuccess, nil
	}
	addr, err := s.Table.Address(name)
	if err != nil {
		return dnsmessage.RCodeServerFailure, nil
	}
	return dnsmessage.RCodeSuccess, record(q, &dnsmessage.AResource{A: addr.As4()})
}

func (s *Server) refused(name string, kind dnsmessage.Type) {
	if s.Refused != nil {
		s.Refused(name, kind)
	}
}

// loopback answers with the sandbox's own loopback addresses (RFC 6761, 6.3).
func loopback(q dnsmessage.Question) []dnsmessage.Resource {
	switch q.Type {
	case dnsmessage.TypeA:
		return record(q, &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}})
	case dnsmessage.TypeAAAA:
		return record(q, &dnsmessage.AAAAResource{AAAA: netip.IPv6Loopback().As16()})
	default:
		return nil
	}
}

// pointer names the address of a name that the sandbox has looked up.
func (s *Server) pointer(q dnsmessage.Question, addr netip.Addr) (dnsmessage.RCode, []dnsmessage.Resource) {
	name, ok := s.Table.Name(addr)
	if !ok {
		return dnsmessage.RCodeNameError, nil
	}
	if q.Type != dnsmessage.TypePTR {
		return dnsmessage.RCodeSuccess, nil
	}
	to, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return dnsmessage.RCodeServerFailure, nil
	}
	return dnsmessage.RCodeSuccess, record(q, &dnsmessage.PTRResource{PTR: to})
}

// reverse reads a name beneath in-addr.arpa or ip6.arpa. The address is not
// valid where such a name stands for none of ours.
func reverse(text string) (netip.Addr, bool) {
	text = strings.ToLower(strings.TrimSuffix(text, "."))
	if address.Under(text, "ip6.arpa") {
		return netip.Addr{}, true
	}
	labels, ok := strings.CutSuffix(text, ".in-addr.arpa")
	if !ok {
		return netip.Addr{}, false
	}
	parts := strings.Split(labels, ".")
	if len(parts) != 4 {
		return netip.Addr{}, true
	}
	var b [4]byte
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return netip.Addr{}, true
		}
		b[3-i] = byte(n)
	}
	return netip.AddrFrom4(b), true
}

func record(q dnsmessage.Question, body dnsmessage.ResourceBody) []dnsmessage.Resource {
	return []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: uint32(TTL / time.Second)},
		Body:   body,
	}}
}
