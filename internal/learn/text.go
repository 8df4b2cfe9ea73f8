package learn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/manifest"
)

// Pack is what a manifest says beside its capabilities.
type Pack struct {
	ID     string
	Entry  []string
	Env    []string
	Limits map[string]string
	Home   string // "" for what is usual
}

// Text writes a manifest with what used each line beside it. It parses, and asks
// for exactly these wants, or there is an error.
func Text(p Pack, wants []Want, b Base) ([]byte, error) {
	var t text
	command, err := t.entry(p)
	if err != nil {
		return nil, err
	}
	t.line(0, "// Written by `ambit learn`: what this program used when it was run, and nothing")
	t.line(0, "// else. A manifest asks, it gives nothing: read it, take out what should not be")
	t.line(0, "// there, and grant the rest with `ambit grants add --pack FOLDER --all`.")
	t.line(0, "{")
	t.line(1, `"id": %s,`, quote(p.ID))
	t.line(1, `"kind": "cli-tool",`)
	t.line(1, `"entry": [%s],`, command)
	t.wants(wants, b)
	t.rest(p)
	t.line(0, "}")
	return t.checked(wants, b)
}

// text is a manifest that is being written.
type text struct{ bytes.Buffer }

func (t *text) line(depth int, format string, args ...any) {
	t.WriteString(strings.Repeat("  ", depth))
	fmt.Fprintf(t, format, args...)
	t.WriteByte('\n')
}

// entry writes argv as elements of a list.
func (t *text) entry(p Pack) (string, error) {
	for _, arg := range p.Entry {
		if !utf8.ValidString(arg) {
			return "", fmt.Errorf("the argument %q is not UTF-8, and a manifest cannot hold it", arg)
		}
	}
	return quotes(p.Entry), nil
}

// wants writes a line for each capability, in the order of their spelling.
func (t *text) wants(wants []Want, b Base) {
	if len(wants) == 0 {
		t.line(1, `"capabilities": [],`)
		return
	}
	lines := map[string]Want{}
	for _, w := range wants {
		for _, c := range w.spelled() {
			lines[b.Spell(c)] = w
		}
	}
	t.line(1, `"capabilities": [`)
	for _, spelled := range slices.Sorted(maps.Keys(lines)) {
		t.line(2, "%s, // %s", quote(spelled), lines[spelled].comment())
	}
	t.line(1, "],")
}

func (t *text) rest(p Pack) {
	if len(p.Env) > 0 {
		t.line(1, `"env": [%s],`, quotes(p.Env))
	}
	if len(p.Limits) > 0 {
		var limits []string
		for _, name := range slices.Sorted(maps.Keys(p.Limits)) {
			limits = append(limits, quote(name)+": "+quote(p.Limits[name]))
		}
		t.line(1, `"limits": {%s},`, strings.Join(limits, ", "))
	}
	if p.Home != "" {
		t.line(1, `"home": %s,`, quote(p.Home))
	}
}

// checked reads the text back: what is written is what was meant.
func (t *text) checked(wants []Want, b Base) ([]byte, error) {
	m, err := manifest.Parse(manifest.File, t.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the manifest of this run cannot be written: %w", err)
	}
	if m, err = m.Resolve(capability.Base{Home: b.Home, Dir: b.Pack}); err != nil {
		return nil, fmt.Errorf("the manifest of this run cannot be written: %w", err)
	}
	asked := map[capability.Capability]bool{}
	for _, w := range m.Wants {
		asked[w.Capability] = true
	}
	for _, w := range wants {
		for _, c := range w.spelled() {
			if !asked[c] {
				return nil, fmt.Errorf("internal error: the manifest of this run does not ask for %s", c.Display())
			}
		}
	}
	return t.Bytes(), nil
}

// spelled is what the manifest says of w: its names, or itself.
func (w Want) spelled() []capability.Capability {
	if len(w.As) > 0 {
		return w.As
	}
	return []capability.Capability{w.Capability}
}

// Spell writes a capability as a manifest in the pack's folder would: "./" is
// that folder, "~/" the home.
func (b Base) Spell(c capability.Capability) string {
	if _, ok := c.Pattern(); !ok {
		return c.Display()
	}
	scope := c.Scope()
	for _, from := range []struct{ dir, as string }{{b.Pack, "."}, {b.Home, "~"}} {
		if from.dir == "" {
			continue
		}
		start := one(capability.FSRead, from.dir).Scope()
		if start != "" && within(scope, start) {
			scope = from.as + strings.TrimPrefix(scope, start)
			break
		}
	}
	return capability.Printable(string(c.Kind()) + ":" + scope)
}

// verbs say what was done with each kind.
var verbs = map[capability.Kind]string{
	capability.FSRead: "read by", capability.FSWrite: "changed by", capability.ProcessSpawn: "run by",
}

// comment says who used a line, and what of it. Names come from programs, and a
// line break in one would end the comment.
func (w Want) comment() string {
	verb := verbs[w.Capability.Kind()]
	if verb == "" {
		verb = "used by"
	}
	var by, names []string
	for _, u := range w.By {
		name := shown(u.Program)
		if name == "" {
			name = "the program"
		}
		if u.Count > 1 {
			name += fmt.Sprintf(" (%d×)", u.Count)
		}
		by = append(by, name)
	}
	for _, n := range w.Names {
		names = append(names, shown(n))
	}
	out := verb + " " + listed(by)
	if len(names) > 0 {
		out += ": " + listed(names)
	}
	return out
}

// shown is a name as it is printed.
func shown(name string) string {
	if r := []rune(name); len(r) > 40 {
		name = string(r[:40]) + "…"
	}
	return capability.Printable(name)
}

// listed writes some of a list.
func listed(all []string) string {
	const most = 5
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return strings.Join(all[:most], ", ") + " and " + strconv.Itoa(len(all)-most) + " more"
}

// quotes writes texts as the elements of a list.
func quotes(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = quote(s)
	}
	return strings.Join(quoted, ", ")
}

// quote writes a JSON string.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // a string can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}
