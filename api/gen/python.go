package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

// python makes the messages and the services for Python.
func python(g *protogen.GeneratedFile, a api) {
	g.P(`"""The messages and services of the API of a host, version 1.`)
	g.P()
	g.P(madeBy)
	g.P(`"""`)
	g.P()
	g.P("from __future__ import annotations")
	g.P()
	g.P("import dataclasses as _dc")
	g.P("import datetime as _dt")
	g.P("import enum as _enum")
	g.P("from typing import ClassVar as _ClassVar, Dict as _Dict, Iterator as _Iterator, List as _List, Optional as _Optional")
	g.P()
	g.P("from . import call as _call, codec as _codec")
	for _, e := range a.enums {
		g.P()
		g.P()
		pyEnum(g, e)
	}
	for _, m := range a.messages {
		g.P()
		g.P()
		pyMessage(g, m)
	}
	for _, s := range a.services {
		g.P()
		g.P()
		pyService(g, s)
	}
	g.P()
	g.P()
	g.P("class Services:")
	g.P(`    """Every service of a host."""`)
	g.P()
	g.P("    def __init__(self, service: _call.Service) -> None:")
	for _, s := range a.services {
		g.P("        self.", snake(s.field), " = ", s.GoName, "(service)")
	}
}

func pyEnum(g *protogen.GeneratedFile, e *protogen.Enum) {
	g.P("class ", e.GoIdent.GoName, "(str, _enum.Enum):")
	pyComment(g, "    ", e.Comments.Leading)
	prefix := strings.ToUpper(snake(string(e.Desc.Name()))) + "_"
	var numbers []string
	for _, v := range e.Values {
		name := strings.TrimPrefix(string(v.Desc.Name()), prefix)
		g.P("    ", name, ` = "`, v.Desc.Name(), `"`)
		numbers = append(numbers, fmt.Sprintf("%d: %s.%s", v.Desc.Number(), e.GoIdent.GoName, name))
	}
	g.P()
	g.P()
	g.P("_codec.enumeration(", e.GoIdent.GoName, ", {", strings.Join(numbers, ", "), "})")
}

func pyMessage(g *protogen.GeneratedFile, m message) {
	g.P("@_dc.dataclass")
	g.P("class ", m.name, "(_codec.Message):")
	pyComment(g, "    ", m.Comments.Leading)
	g.P()
	if len(m.fields) == 0 {
		g.P("    FIELDS: _ClassVar[_codec.Fields] = ()")
		return
	}
	for _, f := range m.fields {
		for _, line := range lines(f.Comments.Leading) {
			g.P("    #: ", line)
		}
		g.P("    ", pyName(f), ": ", pyType(f), " = ", pyZero(f))
	}
	g.P()
	g.P("    FIELDS: _ClassVar[_codec.Fields] = (")
	for _, f := range m.fields {
		of := ""
		if f.of != "" {
			of = fmt.Sprintf(", lambda: %s", f.of)
		}
		g.P("        _codec.Field(", f.Desc.Number(), `, "`, pyName(f), `", "`, f.Desc.JSONName(), `", "`, f.kind, `", "`, f.rule, `"`, of, "),")
	}
	g.P("    )")
}

// taken are the names that a field cannot have.
var taken = strings.Fields("False None True and as assert async await break class continue def del elif else except finally for from global if " +
	"import in is lambda nonlocal not or pass raise return try while with yield str int bool float bytes FIELDS")

func pyName(f field) string {
	name := string(f.Desc.Name())
	if slices.Contains(taken, name) {
		return name + "_"
	}
	return name
}

func pyBase(f field) string {
	return map[kind]string{text: "str", boolean: "bool", integer: "int", long: "int", float: "float", octets: "bytes",
		instant: "_dt.datetime", duration: "_dt.timedelta", choice: f.of, nested: f.of}[f.kind]
}

func pyType(f field) string {
	switch f.rule {
	case many:
		return "_List[" + pyBase(f) + "]"
	case mapped:
		return "_Dict[str, " + pyBase(f) + "]"
	case optional:
		return "_Optional[" + pyBase(f) + "]"
	default:
		return pyBase(f)
	}
}

func pyZero(f field) string {
	switch f.rule {
	case many:
		return "_dc.field(default_factory=list)"
	case mapped:
		return "_dc.field(default_factory=dict)"
	case optional:
		return "None"
	default:
	}
	if f.kind == choice {
		first := f.Enum.Values[0]
		return f.of + "." + strings.TrimPrefix(string(first.Desc.Name()), strings.ToUpper(snake(string(f.Enum.Desc.Name())))+"_")
	}
	return map[kind]string{text: `""`, boolean: "False", integer: "0", long: "0", float: "0.0", octets: `b""`}[f.kind]
}

func pyService(g *protogen.GeneratedFile, s service) {
	g.P("class ", s.GoName, ":")
	pyComment(g, "    ", s.Comments.Leading)
	g.P()
	g.P("    def __init__(self, service: _call.Service) -> None:")
	g.P("        self._service = service")
	for _, m := range s.methods {
		in, out, name := m.Input.GoIdent.GoName, m.Output.GoIdent.GoName, snake(m.GoName)
		g.P()
		if m.Desc.IsStreamingServer() {
			g.P("    def ", name, "(self, request: _Optional[", in, "] = None) -> _call.Stream[", out, "]:")
			pyComment(g, "        ", m.Comments.Leading)
			g.P(`        return _call.stream(self._service, "`, m.procedure(), `", request or `, in, "(), ", out, ")")
			continue
		}
		arguments := fmt.Sprintf("(self, request: _Optional[%s] = None, *, timeout: _Optional[float] = None)", in)
		g.P("    def ", name, arguments, " -> ", out, ":")
		pyComment(g, "        ", m.Comments.Leading)
		g.P(`        return _call.call(self._service, "`, m.procedure(), `", request or `, in, "(), ", out, ", timeout)")
		if m.pages == nil {
			continue
		}
		rows := pyName(*m.pages)
		g.P()
		g.P("    def all_", strings.TrimPrefix(name, "list_"), arguments, " -> _Iterator[", pyBase(*m.pages), "]:")
		g.P(`        """The rows of all pages of `, name, `, each page when it is come to."""`)
		g.P("        request = request or ", in, "()")
		g.P("        while True:")
		g.P("            page = self.", name, "(request, timeout=timeout)")
		g.P("            yield from page.", rows)
		g.P("            if not page.next_page_token:")
		g.P("                return")
		g.P("            request = _dc.replace(request, page_token=page.next_page_token)")
	}
}

func pyComment(g *protogen.GeneratedFile, indent string, c protogen.Comments) {
	all := lines(c)
	switch len(all) {
	case 0:
	case 1:
		g.P(indent, `"""`, all[0], `"""`)
	default:
		g.P(indent, `"""`, all[0])
		for _, line := range all[1:] {
			g.P(strings.TrimRight(indent+line, " "))
		}
		g.P(indent, `"""`)
	}
}
