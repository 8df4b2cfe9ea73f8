// Command gen makes the clients of the API in other languages than Go, and the list of
// services that the Go client has: a plugin of buf and protoc that `make api` runs.
//
// What it makes is types, and a table for each message by which the code beside it
// (sdk/typescript/src/codec.ts, sdk/python/ambit/codec.py) reads and writes JSON. A
// service or a message that is added needs nothing by hand. What it cannot express it
// refuses, and so does `make api`: other well-known types than Timestamp and Duration,
// and procedures to which a stream is sent.
package main

import (
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	protogen.Options{}.Run(generate)
}

// Where what is made lies, from the root of the repository.
const (
	typescriptFile = "sdk/typescript/src/v1.ts"
	wireFile       = "sdk/typescript/src/json.ts"
	pythonFile     = "sdk/python/ambit/v1.py"
	goFile         = "sdk/go/service.gen.go"
)

func generate(p *protogen.Plugin) error {
	p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
	a, err := read(p)
	if err != nil {
		return err
	}
	for name, write := range map[string]func(*protogen.GeneratedFile, api){
		typescriptFile: typescript, wireFile: wire, pythonFile: python, goFile: golang,
	} {
		write(p.NewGeneratedFile(name, ""), a)
	}
	return nil
}
