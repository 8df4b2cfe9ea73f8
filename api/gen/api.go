package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// An api is all that clients are made of, in the order of its files.
type api struct {
	enums    []*protogen.Enum
	messages []message
	services []service
}

type message struct {
	*protogen.Message

	name   string // Outer_Inner where it stands in another one
	fields []field
}

// A kind is how a value looks in a client, whatever it is on the wire.
type kind string

const (
	text     kind = "string"
	boolean  kind = "bool"
	integer  kind = "int" // of 32 bits
	long     kind = "long"
	float    kind = "float"
	octets   kind = "bytes"
	instant  kind = "time"
	duration kind = "duration"
	choice   kind = "enum"
	nested   kind = "message"
)

// A rule is how often a field is there.
type rule string

const (
	one      rule = "one" // always: where it is not sent, it is zero
	optional rule = "optional"
	many     rule = "many"
	mapped   rule = "map" // by names
)

type field struct {
	*protogen.Field

	kind kind // of a map's values
	of   string
	rule rule
}

type service struct {
	*protogen.Service

	field   string // of a client: Questions, Audit
	methods []method
}

type method struct {
	*protogen.Method

	pages *field // what a list has page by page, of the answer; nil: it is none
}

func read(p *protogen.Plugin) (a api, err error) {
	for _, f := range p.Files {
		if !f.Generate {
			continue
		}
		a.enums = append(a.enums, f.Enums...)
		if err := a.add(f.Messages); err != nil {
			return api{}, err
		}
		for _, s := range f.Services {
			made, err := newService(p, s)
			if err != nil {
				return api{}, err
			}
			a.services = append(a.services, made)
		}
	}
	return a, nil
}

// add adds messages and what stands in them.
func (a *api) add(messages []*protogen.Message) error {
	for _, m := range messages {
		if m.Desc.IsMapEntry() {
			continue
		}
		made := message{Message: m, name: m.GoIdent.GoName}
		for _, f := range m.Fields {
			got, err := newField(f)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Desc.FullName(), err)
			}
			made.fields = append(made.fields, got)
		}
		a.messages = append(a.messages, made)
		a.enums = append(a.enums, m.Enums...)
		if err := a.add(m.Messages); err != nil {
			return err
		}
	}
	return nil
}

func newField(f *protogen.Field) (made field, err error) {
	made = field{Field: f, rule: one}
	value := f
	switch {
	case f.Desc.IsMap():
		if f.Message.Fields[0].Desc.Kind() != protoreflect.StringKind {
			return field{}, fmt.Errorf("the keys of a map are to be strings")
		}
		made.rule, value = mapped, f.Message.Fields[1]
	case f.Desc.IsList():
		made.rule = many
	case f.Desc.HasPresence():
		made.rule = optional
	}
	made.kind, made.of, err = kindOf(value)
	return made, err
}

func kindOf(f *protogen.Field) (kind, string, error) {
	switch f.Desc.Kind() {
	case protoreflect.StringKind:
		return text, "", nil
	case protoreflect.BoolKind:
		return boolean, "", nil
	case protoreflect.Int32Kind, protoreflect.Uint32Kind:
		return integer, "", nil
	case protoreflect.Int64Kind, protoreflect.Uint64Kind:
		return long, "", nil
	case protoreflect.DoubleKind:
		return float, "", nil
	case protoreflect.BytesKind:
		return octets, "", nil
	case protoreflect.EnumKind:
		return choice, f.Enum.GoIdent.GoName, nil
	case protoreflect.MessageKind:
		switch name := f.Message.Desc.FullName(); name {
		case "google.protobuf.Timestamp":
			return instant, "", nil
		case "google.protobuf.Duration":
			return duration, "", nil
		default:
			if name.Parent().Parent() == "google" {
				return "", "", fmt.Errorf("clients have no %s", name)
			}
		}
		return nested, f.Message.GoIdent.GoName, nil
	default: // fixed, zigzag, single precision, groups
	}
	return "", "", fmt.Errorf("clients have no %s", f.Desc.Kind())
}

// newService finds what a client calls a service: by what it is about, in the plural
// where there is a message of that name.
func newService(p *protogen.Plugin, s *protogen.Service) (service, error) {
	noun := strings.TrimSuffix(s.GoName, "Service")
	made := service{Service: s, field: noun}
	for _, f := range p.Files {
		if slices.ContainsFunc(f.Messages, func(m *protogen.Message) bool { return m.GoIdent.GoName == noun }) {
			made.field = noun + "s"
		}
	}
	for _, m := range s.Methods {
		if m.Desc.IsStreamingClient() {
			return service{}, fmt.Errorf("%s: clients send no streams", m.Desc.FullName())
		}
		pages, err := pagesOf(m)
		if err != nil {
			return service{}, err
		}
		made.methods = append(made.methods, method{m, pages})
	}
	return made, nil
}

// pagesOf finds the rows of a list with pages.
func pagesOf(m *protogen.Method) (*field, error) {
	token, next := m.Input.Desc.Fields().ByName("page_token"), m.Output.Desc.Fields().ByName("next_page_token")
	if token == nil || next == nil || m.Desc.IsStreamingServer() {
		return nil, nil
	}
	for _, f := range m.Output.Fields {
		if f.Desc.IsList() {
			made, err := newField(f)
			return &made, err
		}
	}
	return nil, fmt.Errorf("%s: a page of what?", m.Desc.FullName())
}

// procedure is the path at which a method is served.
func (m method) procedure() string {
	return string(m.Parent.Desc.FullName()) + "/" + m.GoName
}

// lower begins a name with a small letter.
func lower(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// snake is a name in small letters, with a line between its words.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// lines are the lines of a comment.
func lines(c protogen.Comments) (all []string) {
	for line := range strings.Lines(string(c)) {
		all = append(all, strings.TrimSpace(line))
	}
	return all
}
