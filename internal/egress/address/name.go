package address

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// Limits of the domain name system (RFC 1035, section 2.3.4), without the
// trailing dot.
const (
	maxName  = 253
	maxLabel = 63
)

// lookup maps and checks labels that are not plain ASCII (UTS 46, for lookup,
// not transitional).
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckJoiners(true), idna.StrictDomainName(true))

// Name makes a domain name canonical: lower case, A-labels, no trailing dot.
// Underscores are taken, as resolvers do. A text that some reader would take for
// an address is an error.
//
// Security: names are compared as text afterwards. Two spellings that a resolver
// takes for one name give one result, and an A-label that no U-label encodes to
// is refused, so that nothing looks like another name to a person.
func Name(text string) (string, error) {
	name := strings.TrimSuffix(text, ".")
	if !ascii(name) {
		mapped, err := lookup.ToASCII(name)
		if err != nil {
			return "", fmt.Errorf("name %q: %w", text, err)
		}
		name = mapped
	}
	name = strings.ToLower(name)
	if len(name) > maxName {
		return "", fmt.Errorf("name of %d characters: at most %d", len(name), maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", fmt.Errorf("name %q: %w", text, err)
		}
	}
	if Numeric(name) {
		return "", fmt.Errorf("name %q: it ends in a number, as addresses do", text)
	}
	return name, nil
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > '~' }) < 0
}

func checkLabel(label string) error {
	odd := strings.IndexFunc(label, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
	switch {
	case label == "":
		return fmt.Errorf("an empty part")
	case odd >= 0:
		return fmt.Errorf("part %q: only letters, digits, - and _", label)
	case len(label) > maxLabel:
		return fmt.Errorf("a part of %d characters: at most %d", len(label), maxLabel)
	case label[0] == '-' || label[len(label)-1] == '-':
		return fmt.Errorf("part %q: - at an end", label)
	case len(label) >= 4 && label[:4] == "xn--":
		return checkALabel(label)
	}
	return nil
}

// checkALabel holds an A-label to what its decoded form encodes to.
func checkALabel(label string) error {
	u, err := lookup.ToUnicode(label)
	if err != nil {
		return fmt.Errorf("part %q: %w", label, err)
	}
	if back, err := lookup.ToASCII(u); err != nil || back != label || ascii(u) {
		return fmt.Errorf("part %q: not the encoding of what it stands for", label)
	}
	return nil
}

// Under reports whether name lies below base, by whole labels. Both are
// canonical. A name does not lie below itself.
func Under(name, base string) bool {
	rest, ok := strings.CutSuffix(name, base)
	return ok && base != "" && len(rest) > 1 && rest[len(rest)-1] == '.'
}
