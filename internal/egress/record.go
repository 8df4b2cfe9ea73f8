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
)

// A recordResolver finds records of other types than addresses. *net.Resolver is
// one.
type recordResolver interface {
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
// granted for this name and this type.
func (r records) Look(name string, kind dnsmessage.Type) ([]dnsmessage.ResourceBody, dnsmessage.RCode) {
	p := r.plane
	from, able := p.cfg.Resolver.(recordResolver)
	c, err := capability.Parse(fmt.Sprintf("%s:%s/%s", capability.DNSLookup, name, kinds[kind]))
	if err != nil || !able || p.cfg.Checker == nil {
		return nil, dnsmessage.RCodeServerFailure
	}
	d := p.cfg.Checker.Check(p.ctx, decision.Request{Subject: p.cfg.Subject, Capability: c})
	host, _, _ := strings.Cut(covering(d).Scope(), "/")
	if d.Outcome != decision.Allow || !standsFor(host, name) {
		return nil, dnsmessage.RCodeRefused
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.lim.Dial)
	defer cancel()
	found, err := find(ctx, from, name+".", kind)
	if missing, ok := errors.AsType[*net.DNSError](err); ok && missing.IsNotFound {
		return nil, dnsmessage.RCodeNameError
	}
	if err != nil {
		return nil, dnsmessage.RCodeServerFailure
	}
	return found, dnsmessage.RCodeSuccess
}

func find(ctx context.Context, from recordResolver, name string, kind dnsmessage.Type) (all []dnsmessage.ResourceBody, err error) {
	switch kind {
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
