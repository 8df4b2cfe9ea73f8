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
			same := func(o Want) bool { return o.Capability == w.Capability }
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
	var n narrowing
	fields := map[string]field{
		"capability":  r.capability(&w, ""),
		"net.connect": r.flow(&w, &n, capability.NetConnect),
		"net.stream":  r.flow(&w, &n, capability.NetStream),
		"reason":      r.into(&w.Reason, line),
		"optional": func(v hujson.Value) (err error) {
			w.Optional, err = r.flag(v)
			return err
		},
		"env":     r.into(&w.Env, variable),
		"methods": r.rules(&n.methods, "methods such as GET", method),
		"paths":   r.rules(&n.paths, "paths such as /repos/**", requestPath),
	}
	if err := r.object(v, "a capability", false, fields); err != nil {
		return w, err
	}
	switch {
	case w.Capability.IsZero():
		return w, r.errorf(v.StartOffset, `expected the key "capability", "net.connect" or "net.stream"`)
	case w.Env != "" && w.Capability.Kind() != capability.SecretUse:
		return w, r.errorf(v.StartOffset, "expected a variable only with secret.use")
	case len(n.methods) == 0 && len(n.paths) == 0:
		return w, nil
	}
	narrowed, err := w.Capability.Narrow(n.methods, n.paths)
	if syntax, ok := errors.AsType[*capability.SyntaxError](err); ok {
		return w, r.errorf(v.StartOffset, "%s", syntax.Msg)
	}
	w.Capability = narrowed
	return w, nil
}

// narrowing is what narrows a connection to requests.
type narrowing struct{ methods, paths []string }

// flow reads the object form of a connection: a host with rules for requests.
func (r reader) flow(w *Want, n *narrowing, k capability.Kind) field {
	return func(v hujson.Value) error {
		host := false
		err := r.object(v, "a host and rules", false, map[string]field{
			"host": func(v hujson.Value) error {
				host = true
				return r.capability(w, string(k)+":")(v)
			},
			"methods": r.rules(&n.methods, "methods such as GET", method),
			"paths":   r.rules(&n.paths, "paths such as /repos/**", requestPath),
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
			return r.errorf(v.StartOffset, `expected one of "capability", "net.connect" and "net.stream", found two`)
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
	if !capability.Method(s) {
		return "a method in capitals such as GET, but not CONNECT or TRACE"
	}
	return ""
}

// requestPath is a pattern of the paths of requests.
func requestPath(s string) string { return strings.TrimPrefix(capability.TargetRule(s), "expected ") }
