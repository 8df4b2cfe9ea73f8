package capability

import (
	"slices"
	"strings"
)

// parseName makes a domain name canonical: lower case, no trailing dot. It
// takes what a resolver takes (underscores too), and only ASCII.
func parseName(text string) (string, *fault) {
	if i := strings.IndexFunc(text, func(r rune) bool { return r > '~' }); i >= 0 {
		return "", faultf(i, "expected the name in its ASCII form (xn--…)")
	}
	name := strings.ToLower(strings.TrimSuffix(text, "."))
	if len(name) > 253 {
		return "", faultf(253, "expected a name of at most 253 characters")
	}
	at := 0
	for label := range strings.SplitSeq(name, ".") {
		if f := checkLabel(label); f != nil {
			f.offset += at
			return "", f
		}
		at += len(label) + 1
	}
	if numeric(name) {
		return "", faultf(0, "expected a name that does not end in a number")
	}
	return name, nil
}

func checkLabel(label string) *fault {
	i := strings.IndexFunc(label, func(r rune) bool { return !alphanumeric(r) && r != '-' && r != '_' })
	switch {
	case label == "":
		return faultf(0, "expected a part of a name, found nothing")
	case label == "*":
		return faultf(0, "expected * only as the first part of a name, or alone")
	case i >= 0:
		return faultf(i, "expected letters, digits, - and _ in a name")
	case len(label) > 63:
		return faultf(63, "expected at most 63 characters between dots")
	case label[0] == '-' || label[len(label)-1] == '-':
		return faultf(0, "expected no - at either end of a part of a name")
	}
	return nil
}

// numeric reports whether a text would be taken for an IPv4 address by some
// resolver: its last part is a number, decimal, octal or hexadecimal.
// Such a text is an address in full form or nothing (WHATWG URL, section 3.5).
func numeric(text string) bool {
	text = strings.TrimSuffix(text, ".")
	last := text[strings.LastIndexByte(text, '.')+1:]
	digits := last
	set := "0123456789"
	if len(last) >= 2 && last[0] == '0' && last[1]|0x20 == 'x' {
		digits, set = last[2:], "0123456789abcdefABCDEF"
	}
	return last != "" && strings.Trim(digits, set) == ""
}

// internal reports whether a name is, or lies below, one that is never public.
func internal(name string) bool {
	return slices.ContainsFunc([]string{"localhost", "local", "internal", "home.arpa", "onion"}, func(zone string) bool {
		return name == zone || strings.HasSuffix(name, "."+zone)
	})
}

// local reports whether a name has a meaning of its own in the network that the
// host is in. No wildcard covers it: it is granted exactly.
func local(name string) bool {
	return internal(name) || !strings.Contains(name, ".") || strings.HasPrefix(name, "wpad.")
}
