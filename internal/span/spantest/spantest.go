// Package spantest reads OTLP as JSON as strictly as its specification is written, for
// receivers of tests. It is not part of the product.
package spantest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"ambit.dev/ambit/internal/core/trace"
)

// A Message is what came at once.
type Message struct {
	Resource map[string]string
	Spans    []Span
}

// A Span is one of them.
type Span struct {
	Trace, ID, Parent, State, Name string
	Kind                           int
	Start, End                     int64
	Attributes                     map[string]string
	Failed                         string
}

// The messages (opentelemetry-proto, trace/v1), with no field that they have not.
type (
	request struct {
		ResourceSpans []struct {
			Resource struct {
				Attributes []keyValue `json:"attributes"`
			} `json:"resource"`
			ScopeSpans []struct {
				Scope struct {
					Name    string `json:"name"`
					Version string `json:"version"`
				} `json:"scope"`
				Spans []spanOf `json:"spans"`
			} `json:"scopeSpans"`
		} `json:"resourceSpans"`
	}
	spanOf struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		ParentID   string     `json:"parentSpanId"`
		TraceState string     `json:"traceState"`
		Name       string     `json:"name"`
		Kind       int        `json:"kind"`
		Start      string     `json:"startTimeUnixNano"`
		End        string     `json:"endTimeUnixNano"`
		Attributes []keyValue `json:"attributes"`
		Status     struct {
			Message string `json:"message"`
			Code    int    `json:"code"`
		} `json:"status"`
	}
	keyValue struct {
		Key   string `json:"key"`
		Value struct {
			String *string `json:"stringValue"`
			Int    *string `json:"intValue"`
		} `json:"value"`
	}
)

// Parse reads a message.
func Parse(h http.Header, text []byte) (m Message, err error) {
	if t := h.Get("Content-Type"); t != "application/json" {
		return m, fmt.Errorf("it is %q", t)
	}
	var r request
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return m, err
	}
	if len(r.ResourceSpans) != 1 || len(r.ResourceSpans[0].ScopeSpans) != 1 {
		return m, errors.New("there is not one resource with one scope")
	}
	of := r.ResourceSpans[0]
	if m.Resource, err = attributes(of.Resource.Attributes); err != nil {
		return m, err
	}
	if m.Resource["service.name"] == "" || of.ScopeSpans[0].Scope.Name == "" {
		return m, errors.New("nobody says whose spans they are")
	}
	for _, s := range of.ScopeSpans[0].Spans {
		one, err := s.span()
		if err != nil {
			return m, fmt.Errorf("span %q: %w", s.Name, err)
		}
		m.Spans = append(m.Spans, one)
	}
	return m, nil
}

func (s spanOf) span() (one Span, err error) {
	one = Span{Trace: s.TraceID, ID: s.SpanID, Parent: s.ParentID, State: s.TraceState, Name: s.Name, Kind: s.Kind}
	switch {
	case !trace.IsTrace(s.TraceID) || !trace.IsSpan(s.SpanID) || s.ParentID != "" && !trace.IsSpan(s.ParentID):
		return one, fmt.Errorf("ids %q, %q, %q", s.TraceID, s.SpanID, s.ParentID)
	case s.Name == "" || s.Kind < 1 || s.Kind > 5 || s.Status.Code < 0 || s.Status.Code > 2:
		return one, errors.New("no name, or no such kind or status")
	}
	var bad [3]error
	one.Start, bad[0] = strconv.ParseInt(s.Start, 10, 64)
	one.End, bad[1] = strconv.ParseInt(s.End, 10, 64)
	one.Attributes, bad[2] = attributes(s.Attributes)
	if err := errors.Join(bad[:]...); err != nil {
		return one, err
	}
	if one.Start <= 0 || one.End < one.Start {
		return one, fmt.Errorf("from %d to %d", one.Start, one.End)
	}
	if s.Status.Code == 2 {
		one.Failed = s.Status.Message
	}
	return one, nil
}

func attributes(all []keyValue) (map[string]string, error) {
	m := map[string]string{}
	for _, a := range all {
		value := a.Value.String
		if value == nil {
			value = a.Value.Int
		}
		if _, twice := m[a.Key]; a.Key == "" || twice || value == nil || a.Value.String != nil && a.Value.Int != nil {
			return nil, fmt.Errorf("attribute %q: twice, or without one value", a.Key)
		}
		if a.Value.Int != nil {
			if _, err := strconv.ParseInt(*value, 10, 64); err != nil {
				return nil, err
			}
		}
		m[a.Key] = *value
	}
	return m, nil
}
