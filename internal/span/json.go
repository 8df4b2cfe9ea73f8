package span

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is said of a span.
const (
	maxText       = 256 // bytes of a value
	maxAttributes = 16
)

// The messages of OTLP as JSON (opentelemetry-proto, trace/v1): ids are hexadecimal,
// and numbers of 64 bits are texts.
type (
	exportRequest struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope      `json:"scope"`
		Spans []jsonSpan `json:"spans"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	jsonSpan struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		ParentID   string     `json:"parentSpanId,omitempty"`
		TraceState string     `json:"traceState,omitempty"`
		Name       string     `json:"name"`
		Kind       Kind       `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes,omitempty"`
		Status     *status    `json:"status,omitempty"`
	}
	keyValue struct {
		Key   string   `json:"key"`
		Value anyValue `json:"value"`
	}
	anyValue struct {
		String *string `json:"stringValue,omitempty"`
		Int    string  `json:"intValue,omitempty"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code"`
	}
)

// failed is the code of a span that failed.
const failed = 2

// encode is the message with these spans.
func (r Resource) encode(spans []Span) ([]byte, error) {
	all := make([]jsonSpan, len(spans))
	for i, s := range spans {
		all[i] = s.message()
	}
	about := append([]Attribute{{Name: "service.name", Text: r.Service}, {Name: "service.version", Text: r.Version}}, r.More...)
	return json.Marshal(exportRequest{[]resourceSpans{{
		Resource:   resource{values(about, len(about))},
		ScopeSpans: []scopeSpans{{scope{"ambit.dev/ambit", r.Version}, all}},
	}}})
}

func (s Span) message() jsonSpan {
	m := jsonSpan{TraceID: s.Trace, SpanID: s.ID, ParentID: s.Parent, TraceState: s.State, Name: cut(s.Name), Kind: s.Kind,
		Start: nanoseconds(s.Start), End: nanoseconds(s.End), Attributes: values(s.Attributes, maxAttributes)}
	if s.Failed != "" {
		m.Status = &status{cut(s.Failed), failed}
	}
	return m
}

func nanoseconds(t time.Time) string { return strconv.FormatInt(max(t.UnixNano(), 0), 10) }

// values leaves out what is not there.
func values(all []Attribute, most int) (some []keyValue) {
	for _, a := range all {
		if len(some) == most {
			break
		}
		switch {
		case a.Text != "":
			value := cut(a.Text)
			some = append(some, keyValue{a.Name, anyValue{String: &value}})
		case a.Number != 0:
			some = append(some, keyValue{a.Name, anyValue{Int: strconv.FormatInt(a.Number, 10)}})
		}
	}
	return some
}

// cut is a text of bounded size that is UTF-8.
func cut(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxText+utf8.UTFMax)], "\ufffd")
	for len(s) > maxText {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
