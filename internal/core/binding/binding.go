// Package binding says where a secret may go: toward which destination, in which
// place of a request, in which form. A Binding belongs to a secret; a Value is
// the secret itself, and shows nothing of itself however it is printed.
//
// Invariants:
//
//   - A binding that Check accepts names one scheme, one host and one port, and
//     plain HTTP only toward the loopback of the host.
//   - What prints or encodes a Value gets "REDACTED"; Reveal alone returns it.
//
// Layer: core. It keeps nothing, puts nothing anywhere, and knows no request.
package binding

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// Place is where in a request a secret stands.
type Place string

// The places.
const (
	Header Place = "header" // the whole value of one header
	Basic  Place = "basic"  // the password of HTTP basic authentication
	Query  Place = "query"  // the whole value of one parameter of the URL
	Body   Place = "body"   // once: in one field of the body, or anywhere in it

	// With these it stands nowhere: it signs.
	AWS  Place = "aws-sigv4"   // requests, as AWS's Signature Version 4 does, for one access key
	HMAC Place = "hmac-sha256" // the body, into a header
)

// Signs reports whether a secret in this place signs, and stands in no request.
func (p Place) Signs() bool { return p == AWS || p == HMAC }

// Schemes of a destination.
const (
	HTTPS = "https"
	HTTP  = "http" // toward loopback only
)

// HostLoopback is the name by which a sandbox reaches the loopback of its host.
const HostLoopback = "host.ambit.internal"

// blank stands for the value in a form.
const blank = "{}"

// Binding is where a secret may go, and what a sandbox sees in its place. The
// zero value is nowhere.
type Binding struct {
	Scheme string `json:"scheme"`
	Host   string `json:"host"` // canonical: a name, or an address without brackets
	Port   uint16 `json:"port"`
	Place  Place  `json:"place"`
	Key    string `json:"key,omitempty"`    // the header's, parameter's or field's name, the user of Basic, the access key's id of AWS
	Form   string `json:"form,omitempty"`   // of a header's or parameter's value, {} being the secret
	Prefix string `json:"prefix,omitempty"` // what the placeholder begins with, for programs that look
	Env    string `json:"env"`              // the variable inside that has the placeholder
}

// Default fills in what may be left out, for a secret of this name.
func (b Binding) Default(name string) Binding {
	if b.Place == "" {
		b.Place = Header
	}
	if b.Place == Header && b.Key == "" {
		b.Key = "Authorization"
	}
	if b.Form == "" && (b.Place == Header || b.Place == Query) {
		b.Form = blank
		if strings.EqualFold(b.Key, "Authorization") {
			b.Form = "Bearer " + blank
		}
	}
	if b.Form == "" && b.Place == HMAC {
		b.Form = blank
	}
	if b.Env == "" && b.Place == AWS {
		b.Env = "AWS_SECRET_ACCESS_KEY"
	}
	if b.Env == "" {
		b.Env = Variable(name)
	}
	return b
}

// Fits returns why a value cannot stand where b says.
func (b Binding) Fits(v Value) error {
	if b.Place != Body && b.Place != HMAC && strings.ContainsAny(v.text, "\r\n\t") {
		return errors.New("a value of several lines fits a body, or signs by HMAC; no header and no URL takes it")
	}
	return nil
}

// Check returns what is wrong with b, in words for a person.
func (b Binding) Check() error {
	if err := b.destination(); err != nil {
		return err
	}
	if err := b.place(); err != nil {
		return err
	}
	switch {
	case len(b.Prefix) > 32 || strings.ContainsFunc(b.Prefix, func(r rune) bool { return !word(r) && r != '-' && r != '.' }):
		return errors.New("the prefix of a placeholder is at most 32 of letters, digits, dots, _ and -")
	case !variable(b.Env):
		return fmt.Errorf("%s is not the name of a variable that can be set, such as GITHUB_TOKEN", capability.Printable(b.Env))
	}
	return nil
}

func (b Binding) destination() error {
	if b.Port == 0 {
		return errors.New("a secret is bound to one port, not to 0")
	}
	t, err := ParseTarget(b.Scheme + "://" + join(b.Host, b.Port))
	switch {
	case err != nil:
		return err
	case t != Target{b.Scheme, b.Host, b.Port}:
		return fmt.Errorf("the host %s is not in its plain form, %s", capability.Printable(b.Host), t.Host)
	}
	return nil
}

// framing are headers that say how a request is carried and to whom: no secret
// stands there.
var framing = []string{"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect", "keep-alive",
	"proxy-connection", "proxy-authorization", "proxy-authenticate", "accept-encoding", "content-encoding"}

func (b Binding) place() error {
	printing := func(s string, most int) bool {
		return len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
	}
	header := b.Place == Header || b.Place == HMAC
	form := header || b.Place == Query
	switch {
	case header && (b.Key == "" || len(b.Key) > 64 || strings.ContainsFunc(b.Key, func(r rune) bool { return !word(r) && r != '-' })):
		return fmt.Errorf("%s is not the name of a header", capability.Printable(b.Key))
	case header && slices.Contains(framing, strings.ToLower(b.Key)):
		return fmt.Errorf("the header %s is no place for a secret", b.Key)
	case b.Place == AWS && (len(b.Key) < 16 || len(b.Key) > 128 || strings.ContainsFunc(b.Key, func(r rune) bool { return !word(r) })):
		return errors.New("signing for AWS needs the access key's id, such as AKIAIOSFODNN7EXAMPLE")
	case b.Place == Basic && (!printing(b.Key, 128) || strings.Contains(b.Key, ":")):
		return errors.New("the user of basic authentication is printing ASCII without a colon")
	case b.Place == Query && b.Key == "", (b.Place == Query || b.Place == Body) && !printing(b.Key, 128):
		return errors.New("the name of a parameter or a field is printing ASCII")
	case form && (!printing(b.Form, 256) || strings.Count(b.Form, blank) != 1):
		return fmt.Errorf("a form such as 'Bearer %s' has %s in it once, and printing ASCII", blank, blank)
	case !form && b.Form != "":
		return errors.New("a form is for headers, parameters and HMAC")
	case !slices.Contains([]Place{Header, Basic, Query, Body, AWS, HMAC}, b.Place):
		return errors.New("a secret stands in a header, in basic authentication, in a parameter of the query or in the body, or signs")
	}
	return nil
}

// Fill is the form with a text in its blank.
func (b Binding) Fill(text string) string {
	if b.Form == "" {
		return text
	}
	return strings.Replace(b.Form, blank, text, 1)
}

// Target is where the secret may go.
func (b Binding) Target() Target { return Target{b.Scheme, b.Host, b.Port} }

// Capability is the right to use the secret of this name there.
func (b Binding) Capability(name string) (capability.Capability, error) {
	return capability.Parse(string(capability.SecretUse) + ":" + name + "@" + join(b.Host, b.Port))
}

// Words says where in a request the secret stands.
func (b Binding) Words() string {
	switch b.Place {
	case Header:
		return "header " + b.Key + ", as " + strconv.Quote(b.Form)
	case Basic:
		return "basic authentication, password of " + strconv.Quote(b.Key)
	case Query:
		return "parameter " + strconv.Quote(b.Key) + ", as " + strconv.Quote(b.Form)
	case AWS:
		return "signing as AWS's " + b.Key + " (Signature Version 4)"
	case HMAC:
		return "signing the body into header " + b.Key + " (HMAC-SHA256), as " + strconv.Quote(b.Form)
	case Body:
		if b.Key != "" {
			return "field " + strconv.Quote(b.Key) + " of the body"
		}
	}
	return string(b.Place)
}

// Name returns what is wrong with the name of a secret, in words for a person.
func Name(name string) error {
	if name == "" || len(name) > 64 || !alphanumeric(rune(name[0])) || strings.ContainsFunc(name, func(r rune) bool { return !word(r) && r != '-' && r != '.' }) {
		return errors.New("the name of a secret is at most 64 of letters, digits, dots, - and _, and begins with a letter or digit, as in github-token")
	}
	return nil
}

// Variable is the variable that has the placeholder of a secret unless another is
// named: GITHUB_TOKEN for github-token.
func Variable(name string) string {
	v := strings.Map(func(r rune) rune {
		if word(r) {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
	if v != "" && v[0] >= '0' && v[0] <= '9' {
		v = "_" + v
	}
	return v
}

// meant are variables that mean something to every program, or to its loader.
var meant = []string{"PATH", "HOME", "SHELL", "PWD", "TMPDIR", "USER", "LOGNAME", "TERM", "LANG", "TZ", "IFS", "ENV", "BASH_ENV"}

// variable reports whether a placeholder may stand in a variable of that name.
func variable(s string) bool {
	first := s != "" && (s[0] < '0' || s[0] > '9')
	odd := strings.ContainsFunc(s, func(r rune) bool { return !word(r) })
	own := strings.HasPrefix(s, "LD_") || strings.HasPrefix(s, "LC_") || strings.HasPrefix(s, "AMBIT_")
	return first && !odd && !own && len(s) <= 128 && !slices.Contains(meant, s)
}

func alphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func word(r rune) bool { return r == '_' || alphanumeric(r) }

// join writes a host with its port.
func join(host string, port uint16) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}
