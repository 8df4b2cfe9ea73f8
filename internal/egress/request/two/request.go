package two

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http2"
)

// readRequest understands the beginning of a request. waits is that its program waits
// to be told before it sends the body.
//
// Security: what is malformed (RFC 9113, section 8.1.1) has no request: neither this
// side nor the server gets to choose how to read it.
func readRequest(f *http2.MetaHeadersFrame) (r *http.Request, waits bool, err error) {
	var method, scheme, authority, path string
	malformed := func(why string) (*http.Request, bool, error) {
		return nil, false, http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeProtocol, Cause: errors.New(why)}
	}
	for _, p := range f.PseudoFields() {
		switch p.Name {
		case ":method":
			method = p.Value
		case ":scheme":
			scheme = p.Value
		case ":authority":
			authority = p.Value
		case ":path":
			path = p.Value
		default:
			return malformed("it has a field " + p.Name)
		}
	}
	if !validMethod(method) || strings.Contains(authority, "@") {
		return malformed("its method or host is none")
	}
	if method == http.MethodConnect {
		if path != "" || scheme != "" || authority == "" {
			return malformed("it is no CONNECT")
		}
	} else if path == "" || scheme != "https" && scheme != "http" {
		return malformed("it lacks a path or a scheme")
	}
	h, why := readHeader(f)
	if why != "" {
		return malformed(why)
	}
	if authority == "" {
		authority = h.Get("Host")
	}
	delete(h, "Host")
	r = &http.Request{Method: method, Host: authority, Header: h, Proto: "HTTP/2.0", ProtoMajor: 2, RequestURI: path, Body: http.NoBody}
	if method == http.MethodConnect {
		r.URL, r.RequestURI = &url.URL{Host: authority}, authority
	} else if r.URL, err = url.ParseRequestURI(path); err != nil {
		return malformed("its path is none")
	}
	length, declared, ok := lengthOf(h)
	switch {
	case !ok, f.StreamEnded() && length > 0:
		return malformed("its length is none")
	case f.StreamEnded():
	case declared:
		r.ContentLength = length
	default:
		r.ContentLength = -1
	}
	r.Trailer = announced(h)
	if waits = slices.ContainsFunc(h["Expect"], func(v string) bool { return strings.EqualFold(v, "100-continue") }); waits {
		delete(h, "Expect")
	}
	return r, waits, nil
}

// readHeader understands the fields of a request, or says what is wrong with them.
func readHeader(f *http2.MetaHeadersFrame) (h http.Header, why string) {
	fields := f.RegularFields()
	h = make(http.Header, len(fields))
	values := make([]string, len(fields)) // of all, to begin with
	for _, field := range fields {
		switch field.Name {
		case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade":
			return nil, "it has a header about one connection"
		case "te":
			if field.Value != "trailers" && field.Value != "" {
				return nil, "it accepts transfers that there are not"
			}
		}
		name := http.CanonicalHeaderKey(field.Name)
		if old, ok := h[name]; ok {
			h[name] = append(old, field.Value)
			continue
		}
		values[0] = field.Value
		h[name], values = values[:1:1], values[1:]
	}
	if cookies := h["Cookie"]; len(cookies) > 1 { // RFC 9113, section 8.2.3
		h["Cookie"] = []string{strings.Join(cookies, "; ")}
	}
	if len(h["Host"]) > 1 {
		return nil, "it names two hosts"
	}
	return h, ""
}

// lengthOf reads the length that a header says, once or several times the same.
func lengthOf(h http.Header) (n int64, declared, ok bool) {
	all := h["Content-Length"]
	if len(all) == 0 {
		return 0, false, true
	}
	v, err := strconv.ParseUint(all[0], 10, 63)
	if err != nil || slices.ContainsFunc(all, func(other string) bool { return other != all[0] }) {
		return 0, true, false
	}
	h["Content-Length"] = all[:1]
	return int64(v), true, true
}

// announced takes the names of what comes after a body out of a header.
func announced(h http.Header) (trailer http.Header) {
	for _, v := range h["Trailer"] {
		for name := range strings.SplitSeq(v, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			if !trails(name) {
				continue
			}
			if trailer == nil {
				trailer = http.Header{}
			}
			trailer[name] = nil
		}
	}
	delete(h, "Trailer")
	return trailer
}

// trails reports whether a header may come after a body (RFC 9110, section 6.5.1).
func trails(name string) bool {
	if strings.HasPrefix(name, "If-") {
		return false
	}
	switch name {
	case "Authorization", "Cache-Control", "Connection", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Expect", "Host",
		"Keep-Alive", "Max-Forwards", "Pragma", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Range", "Realm", "Te", "Trailer",
		"Transfer-Encoding", "Www-Authenticate", "Upgrade", "":
		return false
	}
	return true
}

// validMethod reports whether a method is one word.
func validMethod(m string) bool { return validName(strings.ToLower(m)) }
