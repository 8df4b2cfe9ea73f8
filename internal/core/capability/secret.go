package capability

import "strings"

// secretUse is the use of a secret toward a destination.
type secretUse struct {
	name token
	to   host
}

func parseSecretUse(text string) (scope, *fault) {
	name, to, ok := strings.Cut(text, "@")
	if !ok {
		return nil, faultf(len(text), "expected @ and a host, such as @api.github.com")
	}
	t, f := parseToken(name)
	if f != nil {
		return nil, f
	}
	h, f := parseHost(to)
	if f == nil && h.(host).where.any() {
		f = faultf(0, "expected a host; a secret is not used toward every host")
	}
	if f != nil {
		f.offset += len(name) + 1
		return nil, f
	}
	return secretUse{t.(token), h.(host)}, nil
}

func (s secretUse) String() string { return s.name.String() + "@" + s.to.String() }

func (s secretUse) Covers(o scope) bool {
	u := o.(secretUse)
	return s.name == u.name && s.to.Covers(u.to)
}

func (s secretUse) Broad() bool { return s.to.Broad() }
