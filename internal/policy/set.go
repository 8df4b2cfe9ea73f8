package policy

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"

	"ambit.dev/ambit/internal/policy/wire"
)

// Schema is what policies may speak of, as an administrator's editor reads it.
//
//go:embed ambit.cedarschema
var Schema []byte

var validator = sync.OnceValues(func() (*validate.Validator, error) {
	var s schema.Schema
	if err := s.UnmarshalCedar(Schema); err != nil {
		return nil, err
	}
	resolved, err := s.Resolve()
	if err != nil {
		return nil, err
	}
	return validate.New(resolved), nil
})

// A rule is a policy that was read.
type rule struct {
	wire.Policy
	tree  *ast.Policy
	hosts []string // that it names
}

// A Set is what the files of a folder say together.
type Set struct {
	digest string
	rules  []rule
	globs  []glob            // that some policy names
	reals  map[string]string // where the paths that some policy names lead to, if elsewhere
}

// parse reads the files of a set.
//
// Security: Cedar passes over a policy that fails while it is evaluated. So what
// does not fit the schema, an attribute that is misspelt, is an error here.
func parse(files []file) (*Set, error) {
	s := &Set{digest: digest(files), reals: map[string]string{}}
	ids := map[string]wire.Policy{}
	for _, f := range files {
		list, err := cedar.NewPolicyListFromBytes(f.name, f.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place(f.name, err.Error()), errors.New(words(err.Error())))
		}
		for i, p := range list {
			r := rule{tree: (*ast.Policy)(p.AST())}
			at := p.Position()
			r.Policy = wire.Policy{File: f.name, Line: at.Line, Column: at.Column, ID: strconv.Itoa(i + 1), Effect: "forbid", Reason: string(p.Annotations()["reason"])}
			if id, ok := p.Annotations()["id"]; ok {
				r.ID = string(id)
			}
			if err := s.add(&r); err != nil {
				return nil, fmt.Errorf("%s:%d:%d: %w", f.name, at.Line, at.Column, err)
			}
			if p.Annotations()["id"] != "" {
				if other, ok := ids[r.ID]; ok {
					return nil, fmt.Errorf("%s:%d:%d: the id %s is that of %s too", f.name, at.Line, at.Column, r.ID, other)
				}
				ids[r.ID] = r.Policy
			}
			s.rules = append(s.rules, r)
		}
	}
	return s, nil
}

// add checks a policy and takes note of what it names.
func (s *Set) add(r *rule) error {
	v, err := validator()
	if err != nil {
		return fmt.Errorf("internal error: the schema: %w", err)
	}
	if err := v.Policy(r.ID, r.tree); err != nil {
		return err
	}
	if r.tree.Effect == ast.EffectPermit {
		r.Effect, r.Warning = "permit", "a permit has no effect: policy only tightens"
	}
	ast.Inspect(eval.PolicyToNode(r.tree), func(n ast.IsNode) bool {
		switch n := n.(type) {
		case ast.NodeTypeLike:
			if r.Effect == "forbid" && ofPath(n.Arg) && wildBefore(n.Value) {
				r.Warning = "in like a * stands for slashes too: grants of folders in which such a path could come to be are refused; resource in Ambit::Glob::\"…\" is exact"
			}
		case ast.NodeValue:
			if text, ok := n.Value.(types.String); ok {
				r.hosts = append(r.hosts, string(text))
			}
			for _, id := range entities(n.Value) {
				if id.Type == typeHost {
					r.hosts = append(r.hosts, string(id.ID))
				}
				if e := s.name(id); e != nil {
					err = e
				}
			}
		case ast.NodeTypeExtensionCall, ast.NodeTypeSet, ast.NodeTypeRecord:
		}
		return err == nil
	})
	return err
}

// name takes note of an entity.
func (s *Set) name(id types.EntityUID) error {
	at := string(id.ID)
	switch id.Type {
	case typeGlob:
		g, err := parseGlob(at)
		if err != nil {
			return err
		}
		s.globs = append(s.globs, g)
	case typePath, typeProgram:
		if at == "" && id.Type == typeProgram {
			return nil
		}
		if !path.IsAbs(at) || path.Clean(at) != at {
			return fmt.Errorf("%s: want an absolute path without . and .. and without a slash at its end", id)
		}
		if strings.ContainsAny(at, "*") {
			return fmt.Errorf("%s: * stands for itself here; %s::%q is a pattern", id, typeGlob, at)
		}
		s.reals[at] = real(at)
	case typeHost, typeDomain:
		if at != strings.ToLower(at) || strings.HasSuffix(at, ".") {
			return fmt.Errorf("%s: names are written in small letters, without a dot at the end", id)
		}
	}
	return nil
}

// entities are those that a value has in it.
func entities(v types.Value) (all []types.EntityUID) {
	switch v := v.(type) {
	case types.EntityUID:
		return []types.EntityUID{v}
	case types.Set:
		for e := range v.All() {
			all = append(all, entities(e)...)
		}
	}
	return all
}

// position is how the parser says where: it puts it into the text.
var position = regexp.MustCompile(`<input>:(\d+:\d+):? ?`)

// place is where an error of the parser is.
func place(name, text string) string {
	if m := position.FindStringSubmatch(text); m != nil {
		return name + ":" + m[1]
	}
	return name + ":1:1"
}

func words(text string) string {
	text = position.ReplaceAllString(strings.TrimPrefix(text, "parser error: "), "")
	return strings.TrimPrefix(text, "parse error at ")
}
