package two

import (
	"net/http"
	"strconv"
	"strings"
)

// A Reply is an http.ResponseWriter for one stream.
type Reply struct {
	st     *stream
	header http.Header
	begun  bool // the head is said
	empty  bool // there is no body
	waits  bool // the program has to be told to send its body
	late   []string
}

var _ http.ResponseWriter = (*Reply)(nil)

// Header returns what will be in the head, and after that in the trailer.
func (a *Reply) Header() http.Header { return a.header }

// goOn tells a program that waits for it to send its body.
func (a *Reply) goOn() {
	l := a.st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if a.waits && !a.begun && a.st.err == nil {
		a.waits = false
		l.field(":status", "100", false)
		l.sayHead(a.st.id, 0)
	}
}

// WriteHeader says the head, or one that comes before it.
func (a *Reply) WriteHeader(code int) {
	if code == http.StatusContinue {
		a.goOn() // who does not wait need not hear of it
		return
	}
	l := a.st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	a.st.roomy()
	a.say(code)
}

// say is WriteHeader. mu is held.
func (a *Reply) say(code int) {
	st := a.st
	if a.begun || st.err != nil {
		return
	}
	l := st.link
	l.field(":status", strconv.Itoa(code), false)
	early := code < http.StatusOK
	if a.begun = !early; a.begun {
		a.empty = a.empty || code == http.StatusNoContent || code == http.StatusNotModified
		for _, v := range a.header["Trailer"] {
			for name := range strings.SplitSeq(v, ",") {
				a.late = append(a.late, http.CanonicalHeaderKey(strings.TrimSpace(name)))
			}
		}
	}
	l.fields(a.header, false, func(name string) bool { return early && name == "content-length" })
	if at := l.sayHead(st.id, 0); !early {
		st.flags, st.piece = at, l.piece
	}
}

// Write says some of the body.
func (a *Reply) Write(p []byte) (int, error) {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.empty {
		return 0, http.ErrBodyNotAllowed
	}
	return a.st.send(p)
}

// FlushError has what was said written, which happens in any case.
func (a *Reply) FlushError() error {
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	l := a.st.link
	l.mu.Lock()
	defer l.mu.Unlock()
	return a.st.err
}

// finish ends the answer, and reports whether it is whole. mu is held.
func (a *Reply) finish() bool {
	a.say(http.StatusOK)
	if a.st.err != nil {
		return false
	}
	l := a.st.link
	a.st.finish(func() {
		if a.empty {
			return
		}
		for _, name := range a.late {
			l.fields(http.Header{name: a.header[name]}, false, nil)
		}
		for name, values := range a.header {
			if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
				l.fields(http.Header{name: values}, false, nil)
			}
		}
	})
	return true
}
