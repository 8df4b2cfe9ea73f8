package capability

import (
	"fmt"
	"strconv"
	"strings"
)

// scope is what a capability is limited to. Each kind has one type of scope, so
// Covers is only called with another of the same type.
type scope interface {
	String() string // canonical: parsing it gives an equal scope
	Covers(o scope) bool
	Broad() bool
}

// token is one exact name. There is no pattern for several, on purpose: a
// secret, a unit or a module is granted by name.
type token string

func (t token) String() string      { return string(t) }
func (t token) Covers(o scope) bool { return o == t }
func (t token) Broad() bool         { return false }

const maxName = 255

func parseToken(text string) (scope, *fault) {
	if f := checkName(text, "@"); f != nil {
		return nil, f
	}
	return token(text), nil
}

// parseUnit reads a systemd unit: the characters of systemd.unit(5).
func parseUnit(text string) (scope, *fault) {
	i := strings.IndexFunc(text, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune(`:_.\@-`, r) })
	switch {
	case i >= 0:
		return nil, faultf(i, "expected only letters, digits and :_.\\@- in a unit's name")
	case len(text) > maxName:
		return nil, faultf(maxName, "expected a name of at most %d bytes", maxName)
	case strings.IndexByte(text, '.') < 0:
		return nil, faultf(len(text), "expected the unit's type, as in nginx.service")
	}
	return token(text), nil
}

// parseModule reads a kernel module. The kernel takes "-" and "_" for the same.
func parseModule(text string) (scope, *fault) {
	i := strings.IndexFunc(text, func(r rune) bool { return !alphanumeric(r) && r != '_' && r != '-' })
	switch {
	case i >= 0:
		return nil, faultf(i, "expected only letters, digits, _ and - in a module's name")
	case len(text) > maxName:
		return nil, faultf(maxName, "expected a name of at most %d bytes", maxName)
	}
	return token(strings.ReplaceAll(text, "-", "_")), nil
}

// parseUSB reads VENDOR:PRODUCT, four hexadecimal digits each.
func parseUSB(text string) (scope, *fault) {
	for i, r := range text {
		colon := r == ':'
		if i > 8 || colon != (i == 4) || !colon && !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return nil, faultf(i, "expected VENDOR:PRODUCT, four hexadecimal digits each, such as 046d:c52b")
		}
	}
	if len(text) != 9 {
		return nil, faultf(len(text), "expected VENDOR:PRODUCT, four hexadecimal digits each, such as 046d:c52b")
	}
	return token(strings.ToLower(text)), nil
}

// tree is a name with slashes that covers itself and every name beneath, or all
// names. "" stands for all.
type tree string

func (t tree) String() string {
	if t == "" {
		return "*"
	}
	return string(t)
}

func (t tree) Covers(o scope) bool {
	u := o.(tree)
	rest, ok := strings.CutPrefix(string(u), string(t))
	return t == "" || ok && (rest == "" || rest[0] == '/')
}

func (t tree) Broad() bool { return t == "" }

// parseTree reads names parted by slashes; "*" at the end adds nothing, as a
// tree covers what is beneath it anyway.
func parseTree(text string) (scope, *fault) {
	parts := strings.Split(text, "/")
	at := 0
	for i, part := range parts {
		if part == "*" && i == len(parts)-1 {
			parts = parts[:i]
			break
		}
		f := checkName(part, "")
		if f == nil && (part == "." || part == "..") {
			f = faultf(0, "expected a name; %q has no meaning here", part)
		}
		if f != nil {
			f.offset += at
			return nil, f
		}
		at += len(part) + 1
	}
	return tree(strings.Join(parts, "/")), nil
}

// checkName refuses what is no plain name: anything that does not print, that
// could be taken for a pattern or a quote, or that is in not.
func checkName(name, not string) *fault {
	for i, r := range name {
		if r <= ' ' || r > '~' || strings.ContainsRune("*?[]{}\"'`\\"+not, r) {
			return faultf(i, "expected a name of printing ASCII characters without space, quote, * ? [ ] { } \\%s", spaced(not))
		}
	}
	if name == "" {
		return faultf(0, "expected a name, found nothing")
	}
	if len(name) > maxName {
		return faultf(maxName, "expected a name of at most %d bytes", maxName)
	}
	return nil
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return " " + s
}

func alphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// listen is a port inside, published on a port of the host if host is not 0.
type listen struct{ port, host uint16 }

func (l listen) String() string {
	if l.host == 0 {
		return strconv.Itoa(int(l.port))
	}
	return fmt.Sprintf("%d/%d", l.port, l.host)
}

// Covers lets a grant that names the host's port stand for the same port inside
// without a choice of where it appears.
func (l listen) Covers(o scope) bool {
	m := o.(listen)
	return l.port == m.port && (l.host == m.host || m.host == 0)
}

func (l listen) Broad() bool { return false }

func parseListen(text string) (scope, *fault) {
	in, out, published := strings.Cut(text, "/")
	port, f := parsePort(in)
	if f != nil || !published {
		return listen{port: port}, f
	}
	host, f := parsePort(out)
	if f != nil {
		f.offset += len(in) + 1
	}
	return listen{port, host}, f
}

// parsePort reads 1 to 65535 in plain decimal: a leading zero or sign would be
// a second spelling of the same port.
func parsePort(text string) (uint16, *fault) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 || text[0] < '1' || text[0] > '9' {
		return 0, faultf(0, "expected a port from 1 to 65535, found %q", text)
	}
	return uint16(n), nil
}
