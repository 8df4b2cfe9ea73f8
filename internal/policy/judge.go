package policy

import (
	"path"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/policy/wire"
)

// Judge says what the policies forbid of a request. A policy that names an address
// holds for it under every name that leads there.
func (s *Set) Judge(r wire.Request, u wire.User) (v wire.Verdict) {
	if r.As != nil {
		u = *r.As
	}
	for _, part := range r.Capability.Parts() {
		sub := s.subjectOf(r, part, u)
		for i := range s.rules {
			rule := &s.rules[i]
			if rule.tree.Effect == ast.EffectPermit {
				continue
			}
			if s.apply(rule, sub, &v); !v.Forbidden && sub.leads.IsValid() && slices.Contains(rule.hosts, sub.leads.String()) {
				s.apply(rule, s.subjectOf(wire.Request{Context: r.Context, AnyPath: r.AnyPath}, sub.at, u), &v)
			}
			if v.Forbidden {
				v.Holes = nil
				return v
			}
		}
	}
	return v
}

// apply adds to a verdict what one policy says.
func (s *Set) apply(rule *rule, sub *subject, v *wire.Verdict) {
	at := s.reach(rule, sub)
	forbids := func(why string) { v.Forbidden, v.By, v.Why = true, &rule.Policy, why }
	switch {
	case !at.some && !at.all:
	case !at.some:
		forbids("")
	case sub.each:
		// It is about some of it, each of which is a request of its own.
	case sub.anyPath:
		forbids("its path is written in a way that servers read differently, and may be one that it speaks of")
	case len(sub.unseen) > 0:
		forbids("it speaks of requests, and over this connection nobody sees them; grant requests to it (net.connect:HOST/http:…)")
	case at.vague || sub.path == "":
		forbids("it may be about something beneath it that cannot be told apart; grant less")
	default:
		for _, p := range at.at {
			c, err := capability.ForPath(sub.part.Kind(), p)
			if err != nil || p == sub.path || within(sub.path, p) {
				forbids("it may be about " + p + "; grant less")
				return
			}
			v.Holes = append(v.Holes, wire.Hole{Capability: c, By: rule.Policy})
		}
	}
}

// reach is for how much of a request a policy holds.
func (s *Set) reach(rule *rule, sub *subject) reach {
	env := eval.Env{Entities: sub.entities, Principal: sub.user, Action: sub.action(), Resource: eval.Variable("resource"), Context: sub.context}
	left, keep := eval.PartialPolicy(env, rule.tree)
	if !keep {
		return nothing
	}
	return reachOf(eval.PolicyToNode(left).AsIsNode(), func(n ast.IsNode) reach { return s.leaf(n, sub, env) })
}

// leaf is for how much one comparison holds.
//
// Security: what is not understood may hold anywhere; what fails, holds.
func (s *Set) leaf(n ast.IsNode, sub *subject, env eval.Env) reach {
	if err, failed := eval.ToPartialError(n); failed && err != nil {
		return everything
	}
	if v, ok := n.(ast.NodeValue); ok {
		b, ok := v.Value.(types.Boolean)
		return known(!ok || bool(b))
	}
	if r, ok := s.named(n, sub); ok {
		return r
	}
	if unknown(n, sub) {
		return anywhere
	}
	env.Resource = sub.resource.UID
	v, err := eval.Eval(n, env)
	if err != nil {
		return everything
	}
	b, ok := v.(types.Boolean)
	return known(!ok || bool(b))
}

// unknown reports whether an expression speaks of what is not known of a request.
func unknown(n ast.IsNode, sub *subject) (unknown bool) {
	several := sub.several || sub.path != "" && !sub.single
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		switch n := n.(type) {
		case ast.NodeTypeVariable:
			unknown = unknown || n.Name == "resource" && several || n.Name == "context" && shown(sub.part.Kind())
		case ast.NodeTypeAccess:
			unknown = unknown || isResource(n.Arg) && sub.hides(string(n.Value))
		case ast.NodeTypeHas:
			unknown = unknown || isResource(n.Arg) && sub.hides(string(n.Value))
		case ast.NodeValue:
			for _, id := range entities(n.Value) {
				_, variable := eval.ToVariable(id)
				unknown = unknown || variable
			}
		}
		return !unknown
	})
	return unknown
}

// named answers comparisons of the resource as a whole, and of its path.
func (s *Set) named(n ast.IsNode, sub *subject) (reach, bool) {
	switch n := n.(type) {
	case ast.NodeTypeIs:
		return known(n.EntityType == sub.resource.UID.Type), isResource(n.Left)
	case ast.NodeTypeIsIn:
		if !isResource(n.Left) {
			return nothing, false
		}
		if n.EntityType != sub.resource.UID.Type {
			return nothing, true
		}
		return s.in(n.Entity, sub)
	case ast.NodeTypeIn:
		if !isResource(n.Left) {
			return nothing, false
		}
		return s.in(n.Right, sub)
	case ast.NodeTypeEquals:
		return s.equal(n.Left, n.Right, sub)
	case ast.NodeTypeNotEquals:
		r, ok := s.equal(n.Left, n.Right, sub)
		return r.not(), ok
	case ast.NodeTypeLike:
		if !ofPath(n.Arg) || sub.path == "" {
			return nothing, false
		}
		return sub.like(n.Value), true
	}
	return nothing, false
}

// equal compares the resource, or its path, with what is known.
func (s *Set) equal(a, b ast.IsNode, sub *subject) (reach, bool) {
	if _, ok := a.(ast.NodeValue); ok {
		a, b = b, a
	}
	v, ok := b.(ast.NodeValue)
	if !ok || sub.path == "" {
		return nothing, false
	}
	switch to := v.Value.(type) {
	case types.EntityUID:
		if !isResource(a) {
			return nothing, false
		}
		if to.Type != sub.resource.UID.Type {
			return nothing, true
		}
		return s.equalPath(string(to.ID), sub), true
	case types.String:
		if !ofPath(a) {
			return nothing, false
		}
		return s.equalPath(string(to), sub), true
	}
	return nothing, false
}

func (s *Set) equalPath(p string, sub *subject) reach {
	r := nothing
	for _, p := range s.names(p) {
		switch {
		case sub.single:
			r = r.or(known(p == sub.path))
		case path.IsAbs(p) && within(p, sub.path):
			r = r.or(only(p))
		}
	}
	return r
}

// names are a path as a policy has it, and where it leads.
func (s *Set) names(p string) []string {
	if to, ok := s.reals[p]; ok && to != p {
		return []string{p, to}
	}
	return []string{p}
}

// in says for how much of it a resource is in an entity, or in one of several.
func (s *Set) in(n ast.IsNode, sub *subject) (reach, bool) {
	v, ok := n.(ast.NodeValue)
	if !ok || sub.path == "" {
		return nothing, false
	}
	r := nothing
	for _, id := range entities(v.Value) {
		if id == sub.resource.UID {
			r = r.or(s.inPath(sub.path, sub))
		}
		switch id.Type {
		case typePath, typeProgram:
			if id.Type == typeProgram && sub.resource.UID.Type != typeProgram || id.ID == "" {
				continue
			}
			for _, p := range s.names(string(id.ID)) {
				r = r.or(s.inPath(p, sub))
			}
		case typeGlob:
			r = r.or(s.inGlob(string(id.ID), sub))
		}
	}
	return r, true
}

func (s *Set) inPath(p string, sub *subject) reach {
	switch {
	case within(sub.path, p):
		return everything
	case !sub.single && within(p, sub.path):
		return only(p)
	}
	return nothing
}

func (s *Set) inGlob(text string, sub *subject) reach {
	i := slices.IndexFunc(s.globs, func(g glob) bool { return g.text == text })
	if i < 0 {
		return anywhere
	}
	g := s.globs[i]
	if g.covers(sub.path) {
		return everything
	}
	if sub.single {
		return nothing
	}
	at, exact := g.inside(sub.path)
	switch {
	case !exact:
		return anywhere
	case at == "":
		return nothing
	}
	return only(at)
}

// like compares the path with a pattern, in which a wildcard stands for slashes too.
func (sub *subject) like(p types.Pattern) reach {
	if sub.single {
		return known(p.Match(types.String(sub.path)))
	}
	l, err := parseLike(p)
	if err != nil {
		return anywhere
	}
	switch own := p.Match(types.String(sub.path)); {
	case l.all(p, sub.path):
		return everything
	case !own && !l.starts(slash(sub.path)):
		return nothing
	case own:
		return anywhere
	}
	if at, exact := l.inside(sub.path); exact {
		return only(at)
	}
	return anywhere
}
