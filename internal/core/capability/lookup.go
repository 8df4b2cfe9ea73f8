package capability

import (
	"slices"
	"strings"
)

// lookup is the right to ask for records of a name. Addresses of a name are not
// asked for by it: net.connect brings them along.
type lookup struct {
	where place
	types []string // sorted; nil: every type
}

// Record types that may be named (IANA, DNS resource record types).
var recordTypes = []string{
	"A", "AAAA", "CAA", "CERT", "CNAME", "DNSKEY", "DS", "HTTPS", "LOC", "MX", "NAPTR", "NS", "OPENPGPKEY",
	"PTR", "SOA", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT", "URI",
}

func parseLookup(text string) (scope, *fault) {
	name, list, ok := strings.Cut(text, "/")
	where, f := parsePlace(name)
	switch {
	case f != nil:
		return nil, f
	case where.addrs.IsValid():
		return nil, faultf(0, "expected a name, found an address")
	case !ok:
		return nil, faultf(len(text), "expected / and record types, such as /TXT,MX or /*")
	case list == "*":
		return lookup{where: where}, nil
	}
	l, at := lookup{where: where}, len(name)+1
	for t := range strings.SplitSeq(list, ",") {
		upper := strings.ToUpper(t)
		if !slices.Contains(recordTypes, upper) {
			return nil, faultf(at, "expected one of %s, found %q", strings.Join(recordTypes, " "), t)
		}
		l.types = append(l.types, upper)
		at += len(t) + 1
	}
	slices.Sort(l.types)
	l.types = slices.Compact(l.types)
	return l, nil
}

func (l lookup) String() string {
	where := host{where: l.where, ports: defaultPorts(l.where)}.String()
	if l.types == nil {
		return where + "/*"
	}
	return where + "/" + strings.Join(l.types, ",")
}

func (l lookup) Covers(o scope) bool {
	m := o.(lookup)
	return l.where.covers(m.where) && l.coverTypes(m)
}

func (l lookup) coverTypes(m lookup) bool {
	if l.types == nil || m.types == nil {
		return l.types == nil
	}
	return !slices.ContainsFunc(m.types, func(t string) bool { return !slices.Contains(l.types, t) })
}

func (l lookup) Broad() bool { return host{where: l.where}.Broad() }
