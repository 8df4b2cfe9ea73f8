package manifest

import (
	"errors"
	"slices"
	"strings"

	"github.com/tailscale/hujson"

	"ambit.dev/ambit/internal/core/capability"
)

// wants reads the capabilities, each written as a text or as an object.
func (r reader) wants(m *Manifest) field {
	return func(v hujson.Value) error {
		return r.array(v, "capabilities", func(e hujson.Value) error {
			w, err := r.want(e)
			if err != nil {
				return err
			}
			same := func(o Want) bool {
				return o.Capability == w.Capability && slices.Equal(o.Methods, w.Methods) && slices.Equal(o.Paths, w.Paths)
			}
			if slices.ContainsFunc(m.Wants, same) {
				return r.errorf(e.StartOffset, "expected each capability once, found %s again", w.Capability.Display())
			}
			m.Wants = append(m.Wants, w)
			return nil
		})
	}
}

func (r reader) want(v hujson.Value) (w Want, err error) {
	if v.Value.Kind() != '{' {
		err = r.capability(&w, "")(v)
		return w, err
	}
	fields := map[string]field{
		"capability":  r.capability(&w, ""),
		"net.connect": r.connect(&w),
		"reason":      r.into(&w.Reason, line),
		"optional": func(v hujson.Value) (err error) {
			w.Optional, err = r.flag(v)
			return err
		},
		"methods": r.rules(&w.Methods, "methods such as GET", method),
		"paths":   r.rules(&w.Paths, "paths such as /repos/**", requestPath),
	}
	if err := r.object(v, "a capability", false, fields); err != nil {
		return w, err
	}
	switch {
	case w.Capability.IsZero():
		err = r.errorf(v.StartOffset, `expected the key "capability" or "net.connect"`)
	case w.Narrowed() && (w.Capability.Kind() != capability.NetConnect || strings.HasSuffix(w.Capability.Scope(), "/udp")):
		err = r.errorf(v.StartOffset, "expected methods and paths only with net.connect over TCP")
	}
	return w, err
}

// connect reads the object form of net.connect: a host with rules for requests.
func (r reader) connect(w *Want) field {
	return func(v hujson.Value) error {
		host := false
		err := r.object(v, "a host and rules", false, map[string]field{
			"host": func(v hujson.Value) error {
				host = true
				return r.capability(w, string(capability.NetConnect)+":")(v)
			},
			"methods": r.rules(&w.Methods, "methods such as GET", method),
			"paths":   r.rules(&w.Paths, "paths such as /repos/**", requestPath),
		})
		if err == nil && !host {
			err = r.errorf(v.StartOffset, `expected the key "host"`)
		}
		return err
	}
}

// capability reads a text with prefix before it as a capability.
func (r reader) capability(w *Want, prefix string) field {
	return func(v hujson.Value) error {
		if !w.Capability.IsZero() {
			return r.errorf(v.StartOffset, `expected either "capability" or "net.connect", found both`)
		}
		s, err := r.text(v)
		if err != nil {
			return err
		}
		w.Capability, err = capability.Parse(prefix + s)
		if syntax, ok := errors.AsType[*capability.SyntaxError](err); ok {
			return r.errorf(r.inside(v, syntax.Offset-len(prefix)), "%s, found %q", syntax.Msg, s)
		}
		return nil
	}
}

// inside returns the place of a byte of the text v. Where the text is written
// with escapes, it is the start of the text.
func (r reader) inside(v hujson.Value, offset int) int {
	if strings.IndexByte(string(r.data[v.StartOffset:v.EndOffset]), '\\') >= 0 {
		return v.StartOffset
	}
	return v.StartOffset + len(`"`) + max(offset, 0)
}

// rules reads a list that narrows. An empty one would read as "none" or as
// "any", so it is refused.
func (r reader) rules(to *[]string, what string, rule rule) field {
	return func(v hujson.Value) error {
		if len(*to) > 0 {
			return r.errorf(v.StartOffset, "expected %s in one place only", what)
		}
		if err := r.list(to, what, rule)(v); err != nil {
			return err
		}
		if len(*to) == 0 {
			return r.errorf(v.StartOffset, "expected %s, found an empty list; leave the key out to permit all", what)
		}
		return nil
	}
}

// method is an HTTP method in capitals. CONNECT and TRACE are never passed on.
func method(s string) string {
	if s == "" || len(s) > 32 || s == "CONNECT" || s == "TRACE" || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return "a method in capitals such as GET, but not CONNECT or TRACE"
	}
	return ""
}

// requestPath is compared with the path of a request in its plain form, so it
// has to be plain itself.
func requestPath(s string) string {
	bad := func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' || r == '?' || r == '#' }
	if !strings.HasPrefix(s, "/") || len(s) > 2048 || strings.ContainsFunc(s, bad) {
		return "a path such as /repos/**, in printing ASCII without query"
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(s[1:], "/"), "/") {
		if part == "." || part == ".." || part == "" && s != "/" {
			return "a path without empty parts, . and .."
		}
	}
	return ""
}
