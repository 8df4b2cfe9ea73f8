//go:build linux

package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
	"ambit.dev/ambit/internal/egress/address"
)

// A recordResolver finds records of other types too. *net.Resolver is one.
type recordResolver interface {
	Resolver
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
}

// records asks the host's resolver for what was granted by name and type.
type records struct{ plane *Plane }

// kinds are the types of record that can be passed on.
var kinds = map[dnsmessage.Type]string{
	dnsmessage.TypeA: "A", dnsmessage.TypeAAAA: "AAAA",
	dnsmessage.TypeTXT: "TXT", dnsmessage.TypeMX: "MX", dnsmessage.TypeNS: "NS", dnsmessage.TypeSRV: "SRV", dnsmessage.TypeCNAME: "CNAME",
}

// May reports whether a lookup is granted, as far as that can be told quickly.
func (r records) May(name string, kind dnsmessage.Type) bool {
	text, ok := kinds[kind]
	return ok && r.plane.cfg.Lookups(name, text)
}

// Look puts the request, and looks up what is allowed.
//
// Security: this is the one question that leaves the machine before a connection
// was allowed, and its answer the one text that comes in without one. Both were
// granted for this name and this type. An address that it brings in is a number:
// to connect there takes a grant for it.
func (r records) Look(name string, kind dnsmessage.Type) ([]dnsmessage.ResourceBody, dnsmessage.RCode) {
	p := r.plane
	from, able := p.cfg.Resolver.(recordResolver)
	c, err := capability.Parse(fmt.Sprintf("%s:%s/%s", capability.DNSLookup, name, kinds[kind]))
	if err != nil || !able || p.cfg.Checker == nil {
		return nil, dnsmessage.RCodeServerFailure
	}
	if !r.permitted(c, name) {
		return nil, dnsmessage.RCodeRefused
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.lim.Dial)
	defer cancel()
	found, err := r.find(ctx, from, name+".", kind)
	if missing, ok := errors.AsType[*net.DNSError](err); ok && missing.IsNotFound {
		return nil, dnsmessage.RCodeNameError
	}
	if err != nil {
		return nil, dnsmessage.RCodeServerFailure
	}
	return found, dnsmessage.RCodeSuccess
}

// permitted decides about a lookup, with a person's help where one has to be
// asked. Who asks for a name waits for seconds only; the next lookup finds what
// was answered.
func (r records) permitted(c capability.Capability, name string) bool {
	p := r.plane
	if p.refused.find(c) != nil {
		return false
	}
	request := decision.Request{Subject: p.cfg.Subject, Capability: c, CanAsk: p.cfg.Asker != nil, Why: "look up " + name}
	d := p.cfg.Checker.Check(p.ctx, request)
	if d.Outcome == decision.Ask {
		request.ID = d.Request
		if p.ask(p.ctx, Question{Request: request, Flow: Flow{Capability: c, Name: name}}) != nil {
			return false
		}
		request.ID, request.CanAsk = "", false
		d = p.cfg.Checker.Check(p.ctx, request)
	}
	host, _, _ := strings.Cut(covering(d).Scope(), "/")
	if d.Outcome == decision.Allow && standsFor(host, name) {
		return true
	}
	p.refused.keep(c, refuse(NotGranted, "%s", reason(d)))
	return false
}

// addresses are those of a name that are public: what else a name leads to is
// nobody's business inside, and a name that leads to the host or its network now
// and then is how a program is led there.
func (r records) addresses(ctx context.Context, from Resolver, network, name string) (all []dnsmessage.ResourceBody, err error) {
	found, err := from.LookupNetIP(ctx, network, name)
	host := r.plane.cfg.Host()
	for _, a := range found[:min(len(found), maxAddresses)] {
		switch a = address.Plain(a); {
		case address.Of(a, host...) != address.Public:
		case a.Is4() && network == "ip4":
			all = append(all, &dnsmessage.AResource{A: a.As4()})
		case a.Is6() && network == "ip6":
			all = append(all, &dnsmessage.AAAAResource{AAAA: a.As16()})
		}
	}
	return all, err
}

func (r records) find(ctx context.Context, from recordResolver, name string, kind dnsmessage.Type) (all []dnsmessage.ResourceBody, err error) {
	switch kind {
	case dnsmessage.TypeA:
		return r.addresses(ctx, from, "ip4", name)
	case dnsmessage.TypeAAAA:
		return r.addresses(ctx, from, "ip6", name)
	case dnsmessage.TypeTXT:
		texts, err := from.LookupTXT(ctx, name)
		for _, t := range texts {
			all = append(all, &dnsmessage.TXTResource{TXT: pieces(t)})
		}
		return all, err
	case dnsmessage.TypeMX:
		hosts, err := from.LookupMX(ctx, name)
		for _, h := range hosts {
			all = add(all, h.Host, func(n dnsmessage.Name) dnsmessage.ResourceBody { return &dnsmessage.MXResource{Pref: h.Pref, MX: n} })
		}
		return all, err
	case dnsmessage.TypeNS:
		hosts, err := from.LookupNS(ctx, name)
		for _, h := range hosts {
			all = add(all, h.Host, func(n dnsmessage.Name) dnsmessage.ResourceBody { return &dnsmessage.NSResource{NS: n} })
		}
		return all, err
	case dnsmessage.TypeSRV:
		_, hosts, err := from.LookupSRV(ctx, "", "", name)
		for _, h := range hosts {
			all = add(all, h.Target, func(n dnsmessage.Name) dnsmessage.ResourceBody {
				return &dnsmessage.SRVResource{Priority: h.Priority, Weight: h.Weight, Port: h.Port, Target: n}
			})
		}
		return all, err
	case dnsmessage.TypeCNAME:
		host, err := from.LookupCNAME(ctx, name)
		if err == nil && !strings.EqualFold(host, name) {
			all = add(all, host, func(n dnsmessage.Name) dnsmessage.ResourceBody { return &dnsmessage.CNAMEResource{CNAME: n} })
		}
		return all, err
	default:
		return nil, nil
	}
}

// add appends a record that leads to a host, if that is a name.
func add(all []dnsmessage.ResourceBody, host string, body func(dnsmessage.Name) dnsmessage.ResourceBody) []dnsmessage.ResourceBody {
	n, err := dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	if err != nil {
		return all
	}
	return append(all, body(n))
}

// pieces cuts a text into strings as they stand in a record (RFC 1035, section
// 3.3.14).
func pieces(text string) (all []string) {
	for len(text) > 255 {
		all, text = append(all, text[:255]), text[255:]
	}
	return append(all, text)
}
