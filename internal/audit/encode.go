package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// The bodies that every run writes are encoded by hand, as encoding/json would:
// that has to find out first, in each process anew, what the types consist of.
// TestEncode holds one to the other for all that they can hold.
type encoded interface{ appendTo(o *object) }

func (d DecisionBody) appendTo(o *object) {
	o.text("program", d.Program, true)
	o.string("digest", d.Digest, true)
	o.text("capability", d.Capability, false)
	o.text("why", d.Why, true)
	o.string("outcome", d.Outcome, false)
	list(o, "reasons", d.Reasons, func(r ReasonBody) {
		o.string("rule", r.Rule, false)
		o.text("text", r.Text, true)
		o.string("grant", r.Grant, true)
		o.text("by", r.By, true)
		o.text("fix", r.Fix, true)
		o.text("policy", r.Policy, true)
		o.string("set", r.Set, true)
	})
}

func (l LaunchBody) appendTo(o *object) {
	o.texts("argv", l.Argv, false)
	o.text("program", l.Program, true)
	o.text("dir", l.Dir, true)
	o.string("digest", l.Digest, true)
	o.string("tier", l.Tier, true)
	o.number("pid", int64(l.PID), true)
	o.texts("capabilities", l.Capabilities, true)
	o.string("tracestate", l.TraceState, true)
}

func (r ReportBody) appendTo(o *object) {
	o.string("tier", r.Tier, false)
	list(o, "layers", r.Layers, func(l LayerBody) {
		o.string("name", l.Name, false)
		o.bool("promised", l.Promised, false)
		o.bool("holds", l.Holds, false)
		o.bool("weaker", l.Weaker, true)
		o.text("detail", l.Detail, true)
	})
	o.texts("notes", r.Notes, true)
}

func (e EndBody) appendTo(o *object) {
	o.string("status", e.Status, false)
	o.number("exit", int64(e.Exit), false)
	o.string("signal", e.Signal, true)
	o.number("duration_ns", int64(e.Duration/time.Nanosecond), true)
	o.number("prepare_ns", int64(e.Prepare), true)
	o.number("row_ns", int64(e.Row), true)
	o.number("ready_ns", int64(e.Ready), true)
	o.string("stood", e.Stood, true)
	o.text("error", e.Error, true)
	o.number("denials", int64(e.Denials), true)
	o.number("missed", int64(e.Missed), true)
	list(o, "counts", e.Counts, func(c CountBody) {
		o.string("capability", c.Capability, false)
		o.number("allowed", int64(c.Allowed), true)
		o.number("asked", int64(c.Asked), true)
		o.number("denied", int64(c.Denied), true)
	})
	o.number("flows", int64(e.Flows), true)
	o.number("refused", int64(e.Refused), true)
	o.number("in", e.In, true)
	o.number("out", e.Out, true)
	list(o, "uses", e.Uses, func(u UseBody) {
		o.text("capability", u.Capability, false)
		o.bool("used", u.Used, true)
	})
	o.numbers("appends", e.Appends)
	o.number("append_ns", int64(e.Appended), true)
}

func (f FlowBody) appendTo(o *object) {
	o.string("decision", f.Decision, true)
	o.text("capability", f.Capability, true)
	o.bool("udp", f.UDP, true)
	o.bool("inbound", f.Inbound, true)
	o.string("from", f.From, true)
	o.text("name", f.Name, true)
	o.string("to", f.To, false)
	o.string("dialled", f.Dialled, true)
	o.text("program", f.Program, true)
	o.number("pid", int64(f.PID), true)
	o.count("in", f.In)
	o.count("out", f.Out)
	o.number("duration_ns", int64(f.Duration), true)
	o.bool("open", f.Open, true)
	o.string("end", f.End, false)
	o.text("why", f.Why, true)
	o.number("times", int64(f.Times), true)
}

func (r RequestBody) appendTo(o *object) {
	o.string("decision", r.Decision, true)
	o.text("to", r.To, false)
	o.text("method", r.Method, false)
	o.text("path", r.Path, true)
	o.number("status", int64(r.Status), true)
	o.count("in", r.In)
	o.count("out", r.Out)
	o.number("duration_ns", int64(r.Duration), true)
	o.bool("open", r.Open, true)
	o.string("end", r.End, true)
	o.text("why", r.Why, true)
}

// encodeBody is the JSON of b, without the escapes that HTML would need.
func encodeBody(b Body) (json.RawMessage, error) {
	if e, ok := b.(encoded); ok {
		o := object{b: append(make([]byte, 0, 256), '{')}
		if e.appendTo(&o); o.err != nil {
			return nil, fmt.Errorf("body of kind %q: %w", b.kind(), o.err)
		}
		return append(o.b, '}'), nil
	}
	raw, err := marshal(b)
	if err != nil {
		return nil, fmt.Errorf("body of kind %q: %w", b.kind(), err)
	}
	return raw, nil
}

// marshal is json.Marshal without the escapes that HTML would need.
func marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// object is a JSON object in the making.
type object struct {
	b   []byte
	err error
}

func (o *object) name(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) string(name, s string, omit bool) {
	if s == "" && omit {
		return
	}
	o.name(name)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' { // escaped in other ways than a Text is
			o.add(marshal(s))
			return
		}
	}
	o.b = append(append(append(o.b, '"'), s...), '"')
}

func (o *object) add(raw []byte, err error) {
	o.b = append(o.b, raw...)
	if o.err == nil {
		o.err = err
	}
}

func (o *object) text(name string, t Text, omit bool) {
	if t == "" && omit {
		return
	}
	o.name(name)
	if utf8.ValidString(string(t)) {
		o.b = appendString(o.b, string(t))
		return
	}
	o.add(t.MarshalJSON())
}

func (o *object) texts(name string, list []Text, omit bool) {
	if len(list) == 0 && omit {
		return
	}
	o.name(name)
	if list == nil {
		o.b = append(o.b, "null"...)
		return
	}
	o.b = append(o.b, '[')
	for i, t := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.add(t.MarshalJSON())
	}
	o.b = append(o.b, ']')
}

func (o *object) number(name string, n int64, omit bool) {
	if n == 0 && omit {
		return
	}
	o.name(name)
	o.b = strconv.AppendInt(o.b, n, 10)
}

// numbers adds a list, which is left out if it is empty.
func (o *object) numbers(name string, all []int) {
	if len(all) == 0 {
		return
	}
	o.name(name)
	o.b = append(o.b, '[')
	for i, n := range all {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = strconv.AppendInt(o.b, int64(n), 10)
	}
	o.b = append(o.b, ']')
}

func (o *object) count(name string, n uint64) {
	o.name(name)
	o.b = strconv.AppendUint(o.b, n, 10)
}

func (o *object) bool(name string, v, omit bool) {
	if !v && omit {
		return
	}
	o.name(name)
	o.b = strconv.AppendBool(o.b, v)
}

// list adds a list of objects, which is left out if it is empty.
func list[T any](o *object, name string, all []T, each func(T)) {
	if len(all) == 0 {
		return
	}
	o.name(name)
	o.b = append(o.b, '[')
	for i, v := range all {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, '{')
		each(v)
		o.b = append(o.b, '}')
	}
	o.b = append(o.b, ']')
}
