package request

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// denial is what a program is told about a request that was refused.
type denial struct {
	Error      string `json:"error"`
	Reason     string `json:"reason"`
	Decision   string `json:"decision,omitempty"`
	Capability string `json:"capability,omitempty"`
	Object     string `json:"object"`
	Text       string `json:"text,omitempty"`
	Fix        string `json:"fix,omitempty"`
}

// A fault is why a request is not made, with the status that says so.
type fault struct {
	status int
	reason string
	why    string
	answer Answer // of a request that was decided
}

func (f *fault) Error() string { return f.reason + ": " + f.why }

// refuse answers a request that is not made.
func (x *exchange) refuse(f *fault) {
	f.why = short(f.why)
	x.record.Refused, x.record.Why = f.reason, f.why
	x.record.Status = f.status
	text, err := json.Marshal(denial{Error: "refused by Ambit", Reason: f.reason, Decision: f.answer.Decision, Capability: f.answer.Capability,
		Object: x.record.Method + " " + x.conn.to.Scheme + "://" + x.conn.authority + x.record.Path, Text: f.why, Fix: f.answer.Fix})
	if err != nil {
		text = []byte("{}")
	}
	text = append(text, '\n')
	h := x.out.Header()
	clear(h)
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("Cache-Control", "no-store")
	if f.answer.Decision != "" {
		h.Set("Ambit-Denied", f.answer.Decision)
	}
	x.out.WriteHeader(f.status)
	if x.in.Method != http.MethodHead {
		_, _ = x.out.Write(text) // whoever has gone needs no answer
	}
}

// faultOf is how an error of connecting or sending is answered.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if r, ok := errors.AsType[*Refused](err); ok {
		if r.Reason == Misuse { // it came by in the body, while that was sent
			return refused(err)
		}
		return &fault{status: http.StatusBadGateway, reason: r.Reason, why: r.Words}
	}
	if reason, ok := certificate(err); ok {
		return &fault{status: http.StatusBadGateway, reason: Certificate, why: reason}
	}
	return &fault{status: http.StatusBadGateway, reason: DialFailed, why: err.Error()}
}
