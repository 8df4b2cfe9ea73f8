package policy

import "github.com/cedar-policy/cedar-go/x/exp/ast"

// A reach is for how much of what a request is about a condition holds.
//
// Security: that it holds for all, or for nothing, is certain. Between the two, at
// names paths beyond which it does not hold; where vague, it may hold anywhere.
type reach struct {
	some  bool
	all   bool // of one that is not some
	vague bool
	at    []string // where it may hold, with what lies beneath
}

var (
	everything = reach{all: true}
	nothing    = reach{}
	anywhere   = reach{some: true, vague: true}
)

func known(holds bool) reach { return reach{all: holds} }

func only(paths ...string) reach { return reach{some: true, at: paths} }

func (r reach) and(o reach) reach {
	switch {
	case !r.some && !r.all, !o.some && o.all:
		return r
	case !o.some && !o.all, !r.some && r.all:
		return o
	case r.vague:
		return o // where both hold, this one does
	default:
		return r
	}
}

func (r reach) or(o reach) reach {
	switch {
	case !r.some && r.all, !o.some && !o.all:
		return r
	case !o.some && o.all, !r.some && !r.all:
		return o
	}
	return reach{some: true, vague: r.vague || o.vague, at: append(append([]string{}, r.at...), o.at...)}
}

func (r reach) not() reach {
	if r.some {
		return anywhere
	}
	return reach{all: !r.all}
}

// reach works out for how much an expression holds. leaf answers what is said about
// the resource.
func reachOf(n ast.IsNode, leaf func(ast.IsNode) reach) reach {
	switch n := n.(type) {
	case ast.NodeTypeAnd:
		return reachOf(n.Left, leaf).and(reachOf(n.Right, leaf))
	case ast.NodeTypeOr:
		return reachOf(n.Left, leaf).or(reachOf(n.Right, leaf))
	case ast.NodeTypeNot:
		return reachOf(n.Arg, leaf).not()
	case ast.NodeTypeIfThenElse:
		when := reachOf(n.If, leaf)
		return when.and(reachOf(n.Then, leaf)).or(when.not().and(reachOf(n.Else, leaf)))
	}
	return leaf(n)
}
