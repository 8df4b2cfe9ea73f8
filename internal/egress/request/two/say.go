package two

import (
	"encoding/binary"
	"net/http"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// begin begins a frame. mu is held, as it is for all that say something.
func (l *link) begin(kind http2.FrameType, flags http2.Flags, id uint32, n int) {
	l.held = append(l.held, byte(n>>16), byte(n>>8), byte(n), byte(kind), byte(flags))
	l.held = binary.BigEndian.AppendUint32(l.held, id)
}

func (l *link) sayWindow(id, n uint32) {
	l.begin(http2.FrameWindowUpdate, 0, id, 4)
	l.held = binary.BigEndian.AppendUint32(l.held, n)
}

func (l *link) sayReset(id uint32, code http2.ErrCode) {
	l.begin(http2.FrameRSTStream, 0, id, 4)
	l.held = binary.BigEndian.AppendUint32(l.held, uint32(code))
	l.said()
}

func (l *link) sayPong(data [8]byte) {
	l.begin(http2.FramePing, http2.FlagPingAck, 0, 8)
	l.held = append(l.held, data[:]...)
}

// sayGoAway says that no stream after the last is looked at.
func (l *link) sayGoAway(code http2.ErrCode) {
	l.begin(http2.FrameGoAway, 0, 0, 8)
	l.held = binary.BigEndian.AppendUint32(l.held, l.last)
	l.held = binary.BigEndian.AppendUint32(l.held, uint32(code))
	l.said()
}

// settingsFrame is how one side says what it wants.
func settingsFrame(all ...http2.Setting) []byte {
	b := []byte{0, 0, byte(6 * len(all)), byte(http2.FrameSettings), 0, 0, 0, 0, 0}
	for _, s := range all {
		b = binary.BigEndian.AppendUint16(b, uint16(s.ID))
		b = binary.BigEndian.AppendUint32(b, s.Val)
	}
	return b
}

// field writes one field of a header. secret has nobody keep it.
func (l *link) field(name, value string, secret bool) {
	_ = l.coder.WriteField(hpack.HeaderField{Name: name, Value: value, Sensitive: secret}) // a buffer takes everything
}

// lower is a header's name as it stands in a frame.
func (l *link) lower(name string) string {
	if n, ok := l.names[name]; ok {
		return n
	}
	n := strings.ToLower(name)
	if len(l.names) < 64 && len(name) < 64 {
		l.names[strings.Clone(name)] = n
	}
	return n
}

// unsaid are headers that have no place in HTTP/2, or are said in another way.
func unsaid(name string) bool {
	switch name {
	case "connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade", "host":
		return true
	}
	return false
}

// fields writes all of a header but what leave tells of.
func (l *link) fields(h http.Header, secret bool, leave func(name string) bool) {
	for name, values := range h {
		name = l.lower(name)
		if unsaid(name) || leave != nil && leave(name) || !validName(name) {
			continue
		}
		for _, v := range values {
			if validValue(v) {
				l.field(name, v, secret)
			}
		}
	}
}

// sayHead writes the header that stands in block, and returns where its flags are.
func (l *link) sayHead(id uint32, flags http2.Flags) (at int) {
	b := l.block.Bytes()
	at = len(l.held) + 4
	kind := http2.FrameHeaders
	for first := true; first || len(b) > 0; first = false {
		part := b[:min(len(b), l.frame)]
		if b = b[len(part):]; len(b) == 0 {
			flags |= http2.FlagHeadersEndHeaders
		}
		l.begin(kind, flags, id, len(part))
		l.held = append(l.held, part...)
		kind, flags = http2.FrameContinuation, 0
	}
	l.block.Reset()
	l.said()
	return at
}

// validName reports whether a header's name can stand in a frame.
func validName(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return name != ""
}

// validValue reports whether a header's value can.
func validValue(v string) bool {
	for _, c := range []byte(v) {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
