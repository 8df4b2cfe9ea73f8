package wire

import (
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"ambit.dev/ambit/internal/core/grant"
)

// A Part is a field that is made of others.
type Part interface {
	put(b []byte) []byte
	take(r *reader)
}

// List is the field of a list whose elements have the fields of Fields. It keeps
// nil apart from a list of nothing.
type List[T any] struct {
	Of     *[]T
	Fields func(*T) []any
}

// Maybe is the field of what may be missing.
type Maybe[T any] struct {
	Of     **T
	Fields func(*T) []any
}

// Append writes fields behind b. Each is a pointer: to a string, int, bool or
// time, to an outcome or a span, to what marshals itself as text; or a Part.
func Append(b []byte, fields ...any) []byte {
	for _, f := range fields {
		switch f := f.(type) {
		case *string:
			b = append(binary.AppendUvarint(b, uint64(len(*f))), *f...)
		case *int:
			b = binary.AppendVarint(b, int64(*f))
		case *bool:
			b = append(b, flag(*f))
		case *time.Time:
			if b = append(b, flag(!f.IsZero())); !f.IsZero() {
				b = binary.AppendVarint(b, f.UnixNano())
			}
		case *grant.Outcome:
			b = append(b, byte(*f))
		case *grant.Span:
			b = append(b, byte(*f))
		case Part:
			b = f.put(b)
		case encoding.TextMarshaler:
			text, err := f.MarshalText()
			if err != nil {
				text = nil // what cannot be written is read as none
			}
			b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
		default:
			panic(fmt.Sprintf("internal error: no field is a %T", f))
		}
	}
	return b
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// Read reads fields from all of b, as Append wrote them.
func Read(b []byte, fields ...any) error {
	r := &reader{b: b}
	r.fields(fields)
	if r.err == nil && len(r.b) > 0 {
		r.fail(errors.New("bytes are left over"))
	}
	return r.err
}

// reader reads fields. After an error it reads none.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.b, r.err = nil, fmt.Errorf("read a message: %w", err)
	}
}

var errCut = errors.New("it is cut off, or a number is out of bounds")

func (r *reader) fields(fields []any) {
	for _, f := range fields {
		switch f := f.(type) {
		case *string:
			*f = string(r.bytes())
		case *int:
			*f = int(r.number())
		case *bool:
			*f = r.small(1) == 1
		case *time.Time:
			*f = time.Time{}
			if r.small(1) == 1 {
				*f = time.Unix(0, r.number()).UTC()
			}
		case *grant.Outcome:
			*f = grant.Outcome(r.small(byte(grant.Allow)))
		case *grant.Span:
			*f = grant.Span(r.small(byte(grant.Always)))
		case Part:
			f.take(r)
		case encoding.TextUnmarshaler:
			if text := r.bytes(); len(text) > 0 {
				if err := f.UnmarshalText(text); err != nil {
					r.fail(err)
				}
			}
		default:
			panic(fmt.Sprintf("internal error: no field is a %T", f))
		}
	}
}

// small reads a byte that is max at most.
func (r *reader) small(max byte) byte {
	if len(r.b) == 0 || r.b[0] > max {
		r.fail(errCut)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) number() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail(errCut)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// length reads how many there are of what takes a byte at least.
func (r *reader) length() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(len(r.b)-n) {
		r.fail(errCut)
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

func (r *reader) bytes() []byte {
	n := r.length()
	text := r.b[:n]
	r.b = r.b[n:]
	return text
}

func (l List[T]) put(b []byte) []byte {
	b = append(b, flag(*l.Of != nil))
	if *l.Of == nil {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(*l.Of)))
	for i := range *l.Of {
		b = Append(b, l.Fields(&(*l.Of)[i])...)
	}
	return b
}

func (l List[T]) take(r *reader) {
	*l.Of = nil
	if r.small(1) == 0 {
		return
	}
	all := []T{}
	for range r.length() {
		var v T
		if r.fields(l.Fields(&v)); r.err != nil {
			return
		}
		all = append(all, v)
	}
	if r.err == nil {
		*l.Of = all
	}
}

func (m Maybe[T]) put(b []byte) []byte {
	if b = append(b, flag(*m.Of != nil)); *m.Of != nil {
		b = Append(b, m.Fields(*m.Of)...)
	}
	return b
}

func (m Maybe[T]) take(r *reader) {
	*m.Of = nil
	if r.small(1) == 1 {
		v := new(T)
		r.fields(m.Fields(v))
		*m.Of = v
	}
}
