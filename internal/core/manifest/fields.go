package manifest

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tailscale/hujson"

	"ambit.dev/ambit/internal/core/capability"
)

// rule returns what was expected of a text, "" if it is as it should be.
type rule func(string) string

// manifest reads ambit.json.
func (r reader) manifest(m *Manifest, root hujson.Value) error {
	seen := map[string]bool{}
	var zoned []placed
	fields := map[string]field{
		"$schema":      r.into(new(string), anything),
		"id":           r.into(&m.ID, id),
		"name":         r.into(&m.Name, line),
		"version":      r.into(&m.Version, line),
		"kind":         r.into((*string)(&m.Kind), oneOf(Kinds()...)),
		"description":  r.into(&m.Description, prose),
		"entry":        r.entry(m),
		"capabilities": r.wants(m),
		"env":          r.list(&m.Env, "names of environment variables", variable),
		"limits":       r.limits(m),
		"home":         r.into(&m.Home, oneOf(HomeNone, HomeEphemeral, HomePrivate)),
		"zones":        r.zones(m, &zoned),
	}
	for key, read := range fields {
		fields[key] = func(v hujson.Value) error { seen[key] = true; return read(v) }
	}
	if err := r.object(root, "a manifest", false, fields); err != nil {
		return err
	}
	for _, key := range []string{"id", "kind", "entry"} {
		if !seen[key] {
			return r.errorf(root.EndOffset-1, "expected the key %q", key)
		}
	}
	return r.join(m, zoned)
}

// foreign reads aip.json. Keys that we do not know say nothing about rights and
// are left alone; which tier such a pack gets is not in it, so it is a tool.
func (r reader) foreign(m *Manifest, root hujson.Value) error {
	m.Kind = MCPTool
	err := r.object(root, "a manifest", true, map[string]field{
		"id":           r.into(&m.ID, id),
		"name":         r.into(&m.Name, line),
		"version":      r.into(&m.Version, line),
		"description":  r.into(&m.Description, prose),
		"entry":        r.entry(m),
		"capabilities": r.wants(m),
	})
	if err != nil {
		return err
	}
	if m.ID == "" {
		m.ID = m.Name
	}
	if want := id(m.ID); want != "" {
		return r.errorf(root.EndOffset-1, `expected the key "id", or a name that can stand for it: %s`, want)
	}
	return nil
}

// into reads a text that follows a rule.
func (r reader) into(to *string, rule rule) field {
	return func(v hujson.Value) error {
		s, err := r.text(v)
		if err != nil {
			return err
		}
		if want := rule(s); want != "" {
			return r.errorf(v.StartOffset, "expected %s, found %q", want, s)
		}
		*to = s
		return nil
	}
}

// list reads texts that follow a rule, each once.
func (r reader) list(to *[]string, what string, rule rule) field {
	return func(v hujson.Value) error {
		return r.array(v, what, func(e hujson.Value) error {
			var s string
			if err := r.into(&s, rule)(e); err != nil {
				return err
			}
			if slices.Contains(*to, s) {
				return r.errorf(e.StartOffset, "expected each of the list once, found %q again", s)
			}
			*to = append(*to, s)
			return nil
		})
	}
}

// entry reads argv: the program, then whatever it takes.
func (r reader) entry(m *Manifest) field {
	return func(v hujson.Value) error {
		err := r.array(v, "a program and its arguments", func(e hujson.Value) error {
			var s string
			rule := argument
			if len(m.Entry) == 0 {
				rule = program
			}
			err := r.into(&s, rule)(e)
			m.Entry = append(m.Entry, s)
			return err
		})
		if err == nil && len(m.Entry) == 0 {
			err = r.errorf(v.StartOffset, "expected a program, found an empty list")
		}
		return err
	}
}

// limits reads the bounds of a session.
func (r reader) limits(m *Manifest) field {
	return func(v hujson.Value) error {
		fields := map[string]field{}
		for name, rule := range map[string]rule{"memory": size, "disk": size, "pids": count, "cpu": cores, "wall": duration, "fds": count} {
			fields[name] = func(v hujson.Value) error {
				var s string
				err := r.into(&s, rule)(v)
				m.Limits[name] = s
				return err
			}
		}
		m.Limits = map[string]string{}
		return r.object(v, "limits", false, fields)
	}
}

func anything(string) string { return "" }

func oneOf[T ~string](words ...T) rule {
	return func(s string) string {
		if slices.Contains(words, T(s)) {
			return ""
		}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = strconv.Quote(string(w))
		}
		return "one of " + strings.Join(quoted, ", ")
	}
}

// id names a pack: parts of letters, digits, . _ and -, parted by slashes.
func id(s string) string {
	for part := range strings.SplitSeq(s, "/") {
		bad := func(r rune) bool { return !word(r) && r != '.' && r != '-' }
		if len(s) > 128 || strings.Trim(part, ".-") != part || part == "" || strings.ContainsFunc(part, bad) {
			return "an id such as org.example.history: letters, digits, . _ - and /, at most 128"
		}
	}
	return ""
}

func word(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// line is shown to people on one line. What does not print could change how the
// rest of a question reads.
func line(s string) string {
	if s == "" || len(s) > 256 || capability.Printable(s) != s {
		return "1 to 256 bytes of printing characters"
	}
	return ""
}

// prose may have several lines.
func prose(s string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
	if len(s) > 4096 || strings.ContainsFunc(s, hidden) {
		return "at most 4096 bytes of printing characters, line breaks and tabs"
	}
	return ""
}

func variable(s string) string {
	if s == "" || s[0] >= '0' && s[0] <= '9' || strings.ContainsFunc(s, func(r rune) bool { return !word(r) }) {
		return "the name of an environment variable such as LANG"
	}
	return ""
}

// program is started: a file of the pack, or a command found on the path.
func program(s string) string {
	rest, inPack := strings.CutPrefix(s, "./")
	parts := strings.Split(rest, "/")
	odd := func(part string) bool { return part == "" || part == "." || part == ".." }
	if slices.ContainsFunc(parts, odd) || argument(s) != "" || !inPack && len(parts) > 1 || rest[0] == '-' {
		return "a file of the pack such as ./run.py, or the name of a command"
	}
	return ""
}

func argument(s string) string {
	if strings.IndexByte(s, 0) >= 0 {
		return "an argument without NUL"
	}
	return ""
}

func size(s string) string {
	if count(strings.TrimRight(s, "KMGT")) != "" || len(s)-len(strings.TrimRight(s, "KMGT")) > 1 {
		return "a size such as 512M or 2G"
	}
	return ""
}

func count(s string) string {
	if s == "" || len(s) > 15 || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return "a whole number above 0"
	}
	return ""
}

func cores(s string) string {
	whole, part, dot := strings.Cut(s, ".")
	digits := whole + part
	if whole == "" || dot && part == "" || len(digits) > 9 || strings.Trim(digits, "0123456789") != "" || strings.Trim(digits, "0") == "" {
		return "a number of processors such as 2 or 0.5"
	}
	return ""
}

func duration(s string) string {
	if d, err := time.ParseDuration(s); err != nil || d <= 0 {
		return "a duration such as 90s or 10m"
	}
	return ""
}
