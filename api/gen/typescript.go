package main

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
)

const madeBy = "Made by api/gen of the files in api/ambit/v1: change those and run `make api`."

// typescript makes the messages and the services for TypeScript.
func typescript(g *protogen.GeneratedFile, a api) {
	g.P("// ", madeBy)
	g.P()
	g.P("import { type CallOptions, type Service, call, pages, stream } from './call.js'")
	g.P("import { type Init, type Message, enumeration, message } from './codec.js'")
	for _, e := range a.enums {
		g.P()
		tsComment(g, "", e.Comments.Leading)
		var names, numbers []string
		for _, v := range e.Values {
			names = append(names, fmt.Sprintf("'%s'", v.Desc.Name()))
			numbers = append(numbers, fmt.Sprintf("[%d, '%s']", v.Desc.Number(), v.Desc.Name()))
		}
		g.P("export type ", e.GoIdent.GoName, " = ", strings.Join(names, " | "))
		g.P("const ", lower(e.GoIdent.GoName), "Names = enumeration<", e.GoIdent.GoName, ">([", strings.Join(numbers, ", "), "])")
	}
	for _, m := range a.messages {
		g.P()
		tsMessage(g, m)
	}
	for _, s := range a.services {
		g.P()
		tsService(g, s)
	}
	g.P()
	g.P("/** Every service of a host. */")
	g.P("export class Services {")
	for _, s := range a.services {
		g.P("  readonly ", lower(s.field), ": ", s.GoName)
	}
	g.P("  constructor(service: Service) {")
	for _, s := range a.services {
		g.P("    this.", lower(s.field), " = new ", s.GoName, "(service)")
	}
	g.P("  }")
	g.P("}")
}

func tsMessage(g *protogen.GeneratedFile, m message) {
	tsComment(g, "", m.Comments.Leading)
	g.P("export interface ", m.name, " {")
	for _, f := range m.fields {
		tsComment(g, "  ", f.Comments.Leading, tsUnit(f))
		mark := ""
		if f.rule == optional {
			mark = "?"
		}
		g.P("  ", f.Desc.JSONName(), mark, ": ", tsType(f))
	}
	g.P("}")
	if len(m.fields) == 0 {
		g.P("export const ", m.name, ": Message<", m.name, "> = message('", m.Desc.FullName(), "', () => [])")
		return
	}
	g.P("export const ", m.name, ": Message<", m.name, "> = message('", m.Desc.FullName(), "', () => [")
	for _, f := range m.fields {
		of := fmt.Sprintf("'%s'", f.kind)
		switch f.kind {
		case nested:
			of = f.of
		case choice:
			of = lower(f.of) + "Names"
		default:
		}
		rest := ""
		if f.rule != one {
			rest = fmt.Sprintf(", '%s'", f.rule)
		}
		g.P("  [", f.Desc.Number(), ", '", f.Desc.JSONName(), "', ", of, rest, "],")
	}
	g.P("])")
}

// tsUnit says what a number stands for that is none on the wire.
func tsUnit(f field) string {
	if f.kind == duration {
		return "In milliseconds."
	}
	return ""
}

func tsType(f field) string {
	t := map[kind]string{text: "string", boolean: "boolean", integer: "number", long: "bigint", float: "number", octets: "Uint8Array",
		instant: "Date", duration: "number", choice: f.of, nested: f.of}[f.kind]
	return tsMany(f, t)
}

func tsMany(f field, t string) string {
	switch f.rule {
	case many:
		return t + "[]"
	case mapped:
		return "{ [key: string]: " + t + " }"
	default:
		return t
	}
}

func tsService(g *protogen.GeneratedFile, s service) {
	tsComment(g, "", s.Comments.Leading)
	g.P("export class ", s.GoName, " {")
	g.P("  readonly #service: Service")
	g.P("  constructor(service: Service) {")
	g.P("    this.#service = service")
	g.P("  }")
	for _, m := range s.methods {
		in, out := m.Input.GoIdent.GoName, m.Output.GoIdent.GoName
		arguments := fmt.Sprintf("(request: Init<%s> = {}, options: CallOptions = {})", in)
		g.P()
		tsComment(g, "  ", m.Comments.Leading)
		how, answer := "call", "Promise"
		if m.Desc.IsStreamingServer() {
			how, answer = "stream", "AsyncGenerator"
		}
		g.P("  ", lower(m.GoName), arguments, ": ", answer, "<", out, "> {")
		g.P("    return ", how, "(this.#service, '", m.procedure(), "', ", in, ", ", out, ", request, options)")
		g.P("  }")
		if m.pages == nil {
			continue
		}
		g.P()
		g.P("  /** The rows of all pages of ", lower(m.GoName), ", each page when it is come to. */")
		g.P("  all", strings.TrimPrefix(m.GoName, "List"), arguments, ": AsyncGenerator<", strings.TrimSuffix(tsType(*m.pages), "[]"), "> {")
		g.P("    return pages((pageToken) => this.", lower(m.GoName), "({ ...request, pageToken }, options), (page) => page.", m.pages.Desc.JSONName(), ")")
		g.P("  }")
	}
	g.P("}")
}

func tsComment(g *protogen.GeneratedFile, indent string, c protogen.Comments, more ...string) {
	all := lines(c)
	for _, line := range more {
		if line != "" {
			all = append(all, line)
		}
	}
	switch len(all) {
	case 0:
	case 1:
		g.P(indent, "/** ", all[0], " */")
	default:
		g.P(indent, "/**")
		for _, line := range all {
			g.P(indent, " * ", line)
		}
		g.P(indent, " */")
	}
}

// wire makes the messages as they are in JSON, for those who send and read it by
// themselves: what is zero may be left out.
func wire(g *protogen.GeneratedFile, a api) {
	g.P("// ", madeBy)
	g.P("//")
	g.P("// The messages as they stand in JSON, for who sends and reads that without a client,")
	g.P("// as the console does: what is zero is left out, long numbers are texts, bytes base64,")
	g.P("// times RFC 3339, durations as in '3600s'.")
	for _, e := range a.enums {
		g.P()
		tsComment(g, "", e.Comments.Leading)
		var names []string
		for _, v := range e.Values {
			names = append(names, fmt.Sprintf("'%s'", v.Desc.Name()))
		}
		g.P("export type ", e.GoIdent.GoName, " = ", strings.Join(names, " | "))
	}
	for _, m := range a.messages {
		g.P()
		tsComment(g, "", m.Comments.Leading)
		g.P("export interface ", m.name, " {")
		for _, f := range m.fields {
			tsComment(g, "  ", f.Comments.Leading)
			t := map[kind]string{text: "string", boolean: "boolean", integer: "number", long: "string", float: "number", octets: "string",
				instant: "string", duration: "string", choice: f.of, nested: f.of}[f.kind]
			g.P("  ", f.Desc.JSONName(), "?: ", tsMany(f, t))
		}
		g.P("}")
	}
}
