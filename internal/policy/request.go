package policy

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/eval"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/policy/wire"
)

// Types of entities, as the schema has them.
const (
	typeUser    types.EntityType = "Ambit::User"
	typeGroup   types.EntityType = "Ambit::Group"
	typeOrg     types.EntityType = "Ambit::Org"
	typeAction  types.EntityType = "Ambit::Action"
	typePath    types.EntityType = "Ambit::Path"
	typeGlob    types.EntityType = "Ambit::Glob"
	typeProgram types.EntityType = "Ambit::Program"
	typeHost    types.EntityType = "Ambit::Host"
	typeDomain  types.EntityType = "Ambit::Domain"
	typePort    types.EntityType = "Ambit::Port"
	typeSecret  types.EntityType = "Ambit::Secret"
	typeThing   types.EntityType = "Ambit::Thing"
)

// A subject is a request as Cedar sees it.
type subject struct {
	part     capability.Capability // what is asked, or what that includes
	resource types.Entity
	entities types.EntityMap
	context  types.Record
	user     types.EntityUID

	path    string                // of paths: the one, or the folder
	single  bool                  // it is one path, with nothing beneath
	several bool                  // it is several hosts
	each    bool                  // each use of it is a request of its own, later
	anyPath bool                  // it is one request, whose path may be any
	unseen  []string              // attributes that are not known
	leads   netip.Addr            // to which the host leads; not valid: not known
	at      capability.Capability // the part, at that address
}

// subjectOf makes of a request what is decided about. c is what it asks for, or a
// part of that.
func (s *Set) subjectOf(r wire.Request, c capability.Capability, u wire.User) *subject {
	sub := &subject{part: c, single: r.Single, anyPath: r.AnyPath, user: types.NewEntityUID(typeUser, types.String(fmt.Sprintf("%d/%s", u.UID, u.Name)))}
	if _, _, to, _, ok := r.Leads.Hosts(); ok {
		sub.leads = to.Addr()
		for _, at := range r.Leads.Parts() {
			if at.Kind() == c.Kind() {
				sub.at = at
			}
		}
	}
	sub.entities = types.EntityMap{}
	var groups []types.EntityUID
	for _, g := range u.Groups {
		groups = append(groups, types.NewEntityUID(typeGroup, types.String(strconv.Itoa(g))))
	}
	if r.Context.Org != "" {
		groups = append(groups, types.NewEntityUID(typeOrg, types.String(r.Context.Org)))
	}
	sub.add(types.Entity{UID: sub.user, Parents: types.NewEntityUIDSet(groups...), Attributes: types.NewRecord(types.RecordMap{
		"uid": types.Long(u.UID), "name": types.String(u.Name), "home": types.String(u.Home)})})
	family, _, _ := strings.Cut(string(c.Kind()), ".")
	sub.add(types.Entity{UID: sub.action(), Parents: types.NewEntityUIDSet(types.NewEntityUID(typeAction, types.String(family)))})
	sub.context = context(r.Context, u, c)
	sub.resource = s.resource(sub, c)
	sub.add(sub.resource)
	return sub
}

func (sub *subject) add(e types.Entity) { sub.entities[e.UID] = e }

func (sub *subject) action() types.EntityUID {
	return types.NewEntityUID(typeAction, types.String(sub.part.Kind()))
}

// shown reports whether what is allowed is there for every program of a session
// from then on.
func shown(k capability.Kind) bool {
	family, _, _ := strings.Cut(string(k), ".")
	return family == "fs" || family == "process"
}

// context is what is known beside it.
//
// Security: files that are shown are shown to every program, whichever asked
// first, and whether or not somebody was asked. So nothing there may depend on it.
func context(c wire.Context, u wire.User, asks capability.Capability) types.Record {
	m := types.RecordMap{"home": types.String(u.Home), "asked": types.Boolean(c.Asked)}
	for name, text := range map[types.String]string{"pack": c.Pack, "packDigest": c.Digest, "signer": c.Signer, "tier": c.Tier, "session": c.Session, "program": c.Program} {
		if text != "" {
			m[name] = types.String(text)
		}
	}
	if shown(asks.Kind()) {
		m["program"], m["asked"] = eval.Variable("program"), eval.Variable("asked")
	}
	return types.NewRecord(m)
}

// resource is what a capability is about.
func (s *Set) resource(sub *subject, c capability.Capability) types.Entity {
	switch k := c.Kind(); k {
	case capability.FSRead, capability.FSWrite, capability.FSAppend:
		return s.file(sub, typePath, c)
	case capability.ProcessSpawn:
		return s.file(sub, typeProgram, c)
	case capability.NetConnect, capability.NetStream, capability.DNSLookup, capability.MediaFetch, capability.BrowserVisit:
		return sub.host(c.Scope(), k == capability.NetConnect || k == capability.NetStream)
	case capability.NetListen:
		port, _ := strconv.ParseInt(strings.TrimSuffix(c.Scope(), "/udp"), 10, 64)
		return types.Entity{UID: types.NewEntityUID(typePort, types.String(c.Scope())), Attributes: types.NewRecord(types.RecordMap{"port": types.Long(port)})}
	case capability.SecretRead, capability.SecretUse:
		return sub.secret(c.Scope())
	default: // what has no type of its own is its scope
		return types.Entity{UID: types.NewEntityUID(typeThing, types.String(c.Scope())), Attributes: types.NewRecord(types.RecordMap{"scope": types.String(c.Scope())})}
	}
}

// file is a path. Of a glob it is the folder that it starts from.
func (s *Set) file(sub *subject, t types.EntityType, c capability.Capability) types.Entity {
	sub.path = "/"
	if pattern, ok := c.Pattern(); ok {
		at, literal := pattern.Literal()
		if !literal {
			at, sub.single = pattern.Root(), false
		}
		sub.path = at
	} else {
		sub.single = false
	}
	id := sub.path
	if c.Scope() == "" {
		id = ""
	}
	return types.Entity{UID: types.NewEntityUID(t, types.String(id)), Attributes: types.NewRecord(types.RecordMap{
		"path": types.String(sub.path), "name": types.String(path.Base(sub.path))})}
}

// host is a host, or several: then what is asked is each of them, later.
func (sub *subject) host(scope string, flows bool) types.Entity {
	where, rule, seen := strings.Cut(scope, "/http")
	where, lookup := cutTypes(where)
	where, udp := strings.CutSuffix(where, "/udp")
	name, port := cutPort(where)
	m := types.RecordMap{"host": types.String(name), "udp": types.Boolean(udp || lookup)}
	one, number := !strings.ContainsAny(name, "*/"), false
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		m["port"], number = types.Long(n), true
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		m["ip"] = types.IPAddr(netip.PrefixFrom(ip, ip.BitLen()))
	} else if sub.leads.IsValid() {
		m["ip"] = types.IPAddr(netip.PrefixFrom(sub.leads, sub.leads.BitLen()))
	}
	method, target, whole := strings.Cut(strings.TrimPrefix(rule, ":"), ":")
	switch {
	case seen && whole && !strings.ContainsAny(method+target, "*?[,"):
		m["method"], m["target"] = types.String(method), types.String(target)
	case seen && sub.anyPath:
		m["method"], sub.unseen = types.String(method), append(sub.unseen, "target")
	case seen:
		sub.unseen, sub.each = append(sub.unseen, "method", "target"), true
	case flows: // what goes over it nobody looks at
		sub.unseen = append(sub.unseen, "method", "target")
	}
	if flows && !number {
		sub.unseen, sub.each = append(sub.unseen, "port"), true
	}
	sub.several = !one
	sub.each = sub.each || !one
	return types.Entity{UID: types.NewEntityUID(typeHost, types.String(name)), Parents: domains(name), Attributes: types.NewRecord(m)}
}

// cutTypes takes the record types off a scope of dns.lookup.
func cutTypes(where string) (rest string, cut bool) {
	if i := strings.LastIndexByte(where, '/'); i >= 0 && i+1 < len(where) && 'A' <= where[i+1] && where[i+1] <= 'Z' {
		return where[:i], true
	}
	return where, false
}

// cutPort takes the port off a host.
func cutPort(where string) (name, port string) {
	if rest, ok := strings.CutPrefix(where, "["); ok {
		name, port, _ = strings.Cut(rest, "]")
		return name, strings.TrimPrefix(port, ":")
	}
	if i := strings.LastIndexByte(where, ':'); i >= 0 && strings.Count(where, ":") == 1 {
		return where[:i], where[i+1:]
	}
	return where, ""
}

// domains are the names above a host's, and its own.
func domains(name string) types.EntityUIDSet {
	var all []types.EntityUID
	for at := strings.TrimPrefix(name, "*."); at != ""; {
		all = append(all, types.NewEntityUID(typeDomain, types.String(at)))
		_, at, _ = strings.Cut(at, ".")
	}
	return types.NewEntityUIDSet(all...)
}

// secret is a secret, and where it is used.
func (sub *subject) secret(scope string) types.Entity {
	name, to, used := strings.Cut(scope, "@")
	m, parents := types.RecordMap{"name": types.String(name)}, types.NewEntityUIDSet()
	if used {
		host, _ := cutPort(to)
		m["host"], parents = types.String(host), domains(host)
		sub.several = strings.Contains(to, "*")
		sub.each = sub.several
	}
	return types.Entity{UID: types.NewEntityUID(typeSecret, types.String(name)), Parents: parents, Attributes: types.NewRecord(m)}
}

// hides reports whether an attribute is one that nobody sees.
func (sub *subject) hides(attribute string) bool { return slices.Contains(sub.unseen, attribute) }
