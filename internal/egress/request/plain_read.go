package request

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// readPlain makes a request of a head that is plain (examine), if it has no body and
// asks for nothing that net/http knows more about. Its header has nothing in it that
// is about the connection. nil: net/http has to read it.
//
// Security: it is what net/http reads of the same head (FuzzReadPlain).
func readPlain(head []byte) *http.Request {
	line, rest, _ := strings.Cut(string(head), "\r\n")
	method, line, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(line, " ")
	at, err := url.ParseRequestURI(target)
	if err != nil {
		return nil
	}
	count := strings.Count(rest, "\r\n") - 1
	r := &http.Request{Method: method, URL: at, RequestURI: target, Proto: version, ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, count), Body: http.NoBody}
	values := make([]string, 0, count) // one piece of memory for those that stand alone
	for {
		if line, rest, _ = strings.Cut(rest, "\r\n"); line == "" {
			return r
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		switch name {
		case "Content-Length", "Pragma":
			return nil
		case "Host":
			r.Host = value
		case "Connection":
			r.Close = strings.EqualFold(value, "close")
		default:
			if before, ok := r.Header[name]; ok {
				r.Header[name] = append(before, value)
				continue
			}
			values = append(values, value)
			r.Header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
}

// isBare reports whether a request has nothing behind its head, nor anything in it
// that says so.
func isBare(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodDelete:
	default:
		return false
	}
	return r.Body == http.NoBody && r.ContentLength == 0 && r.Trailer == nil && r.TransferEncoding == nil && !r.Close && len(r.Header["User-Agent"]) < 2
}
