package request

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// Bounds of a plain request.
const (
	plainHead = 8 << 10  // of its head
	plainBody = 64 << 10 // of its body, which is sent before the response is read
)

// A look is what is seen of the head of a request before anything of it is taken.
type look int

const (
	more  look = iota // it is not whole
	plain             // it is whole, and plain
	other             // it is anything else
)

// plainMethods are those of a plain request.
var plainMethods = [...]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// examine looks at the beginning of a request: whether it is one of HTTP/1.1 that
// can be read in one way only, whose body has a known, small length or is none, and
// which asks for nothing of the connection but to be kept or closed. size is how
// long the head is.
//
// Security: whoever says plain vouches that there are no two opinions about where
// this request ends: one spelling of line ends, one host, at most one length, no
// coding, no folded line, no byte that some reader takes for another. What is not
// so is left whole to net/http's server, which refuses it or reads it in its way.
func examine(text []byte) (l look, size int) {
	line, rest, l := cutLine(text)
	if l != plain {
		return l, 0
	}
	if !plainTarget(line) {
		return other, 0
	}
	var hosts, lengths, connections int
	var folded [longestNamed]byte
	for {
		if line, rest, l = cutLine(rest); l != plain {
			return l, 0
		}
		if len(line) == 0 {
			if hosts != 1 || lengths > 1 || connections > 1 {
				return other, 0
			}
			return plain, len(text) - len(rest)
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || !isToken(name) {
			return other, 0
		}
		value = bytes.Trim(value, " \t")
		switch string(lower(folded[:0], name)) {
		case "host":
			hosts++
			ok = plainHost(value)
		case "content-length":
			lengths++
			ok = plainLength(value)
		case "connection":
			connections++
			ok = bytes.EqualFold(value, []byte("keep-alive")) || bytes.EqualFold(value, []byte("close"))
		case "transfer-encoding", "trailer", "te", "upgrade", "expect", "keep-alive", "proxy-connection",
			"proxy-authenticate", "proxy-authorization", "http2-settings":
			ok = false
		}
		if !ok {
			return other, 0
		}
	}
}

// longestNamed is more than any name has that is looked for.
const longestNamed = 24

// lower is a name in small letters, in b where it fits; a longer one is none that is
// looked for.
func lower(b, name []byte) []byte {
	if len(name) > cap(b) {
		return nil
	}
	for _, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

// cutLine takes a line off a text, which ends with CR and LF and has visible
// characters of ASCII, spaces and tabs only.
func cutLine(text []byte) (line, rest []byte, l look) {
	for i, c := range text {
		switch {
		case c == '\r' && i+1 == len(text):
			return nil, nil, more
		case c == '\r' && text[i+1] == '\n':
			return text[:i], text[i+2:], plain
		case c < ' ' && c != '\t' || c > '~':
			return nil, nil, other
		}
	}
	return nil, nil, more
}

// plainTarget reports whether a request line has a usual method, a path of this
// server whose percent signs are all escapes, and this version.
func plainTarget(line []byte) bool {
	method, rest, _ := strings.Cut(string(line), " ")
	target, version, _ := strings.Cut(rest, " ")
	usual := false
	for _, m := range plainMethods {
		usual = usual || m == method
	}
	if !usual || version != "HTTP/1.1" || !strings.HasPrefix(target, "/") {
		return false
	}
	for i := range len(target) {
		switch c := target[i]; {
		case c == '#', c == '\t', c == '"', c == '<', c == '>', c == '\\':
			return false
		case c == '%' && (i+2 >= len(target) || !isHex(target[i+1]) || !isHex(target[i+2])):
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isToken reports whether a text is the name of a header (RFC 9110, section 5.6.2).
func isToken(text []byte) bool {
	for _, c := range text {
		if !isLetter(c) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return len(text) > 0
}

// plainHost reports whether a host has the characters of names, addresses and
// ports only. Whether it is the right one is decided as for every request.
func plainHost(text []byte) bool {
	for _, c := range text {
		if !isLetter(c) && !strings.ContainsRune("-._:[]", rune(c)) {
			return false
		}
	}
	return len(text) > 0
}

// plainLength reports whether a length is a number in its one spelling, and small.
func plainLength(text []byte) bool {
	n, err := strconv.ParseUint(string(text), 10, 31)
	return err == nil && n <= plainBody && strconv.FormatUint(n, 10) == string(text)
}
