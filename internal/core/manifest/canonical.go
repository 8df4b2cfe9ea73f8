package manifest

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/capability"
)

// Canonical returns m as JSON in the form of RFC 8785. Equal manifests have
// equal bytes: wants and names of the environment stand in order, as their
// order has no meaning. Parse reads the bytes back, but for an ad hoc manifest.
func (m Manifest) Canonical() []byte {
	o := object{}
	o.text("id", m.ID)
	o.text("name", m.Name)
	o.text("version", m.Version)
	o.text("kind", string(m.Kind))
	o.text("description", m.Description)
	o.text("home", m.Home)
	o.list("entry", m.Entry)
	env := slices.Clone(m.Env)
	slices.Sort(env)
	o.list("env", slices.Compact(env))
	limits := object{}
	for name, value := range m.Limits {
		limits.text(name, value)
	}
	if len(limits) > 0 {
		o["limits"] = limits.json()
	}
	if wants := canonicalWants(m.Wants); len(wants) > 0 {
		o["capabilities"] = "[" + strings.Join(wants, ",") + "]"
	}
	if zones := canonicalZones(m.Zones); len(zones) > 0 {
		o["zones"] = zones.json()
	}
	o.flag("open", m.Open)
	return []byte(o.json())
}

// Digest returns the SHA-256 of the canonical bytes, as "sha256:" and
// hexadecimal digits.
func (m Manifest) Digest() string { return fmt.Sprintf("sha256:%x", sha256.Sum256(m.Canonical())) }

func canonicalWants(wants []Want) []string {
	out := make([]string, 0, len(wants))
	for _, w := range wants {
		if w.Zone != "" {
			continue // its zone says it
		}
		o := object{}
		o.text("capability", w.Capability.Display())
		o.text("reason", w.Reason)
		o.flag("optional", w.Optional)
		o.text("env", w.Env)
		out = append(out, o.json())
	}
	slices.SortFunc(out, cmp.Compare[string])
	return slices.Compact(out)
}

// object is a JSON object whose values are JSON already. What is empty is left
// out, so that it makes no difference whether it was written.
type object map[string]string

func (o object) text(key, value string) {
	if value != "" {
		o[key] = quote(value)
	}
}

func (o object) flag(key string, value bool) {
	if value {
		o[key] = "true"
	}
}

func (o object) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	o[key] = "[" + strings.Join(quoted, ",") + "]"
}

// json writes the keys in order. RFC 8785 orders them by UTF-16 code units,
// which for our keys, all ASCII, is the order of their bytes.
func (o object) json() string {
	members := make([]string, 0, len(o))
	for key, value := range o {
		members = append(members, quote(key)+":"+value)
	}
	slices.Sort(members)
	return "{" + strings.Join(members, ",") + "}"
}

// quote writes a JSON string as RFC 8785, section 3.2.2.2, has it. JSON cannot
// hold bytes that are not UTF-8; they occur only in the argv of an ad hoc run,
// and are written as \xNN there.
func quote(s string) string {
	if !utf8.ValidString(s) {
		s = capability.Printable(s)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch i := strings.IndexRune("\"\\\b\f\n\r\t", r); {
		case i >= 0:
			b.WriteString(`\` + `"\bfnrt`[i:i+1])
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
