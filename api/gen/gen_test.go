package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"

	_ "ambit.dev/ambit/api/ambit/v1" // registers its files
)

// contract is what a plugin is asked for the files of the API, without their comments:
// Go's code has none.
func contract(t *testing.T) *pluginpb.CodeGeneratorRequest {
	t.Helper()
	names, err := filepath.Glob("../ambit/v1/*.proto")
	if err != nil || len(names) == 0 {
		t.Fatalf("there is no contract: %v", err)
	}
	r := &pluginpb.CodeGeneratorRequest{Parameter: new("")}
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		r.ProtoFile = append(r.ProtoFile, protodesc.ToFileDescriptorProto(f))
	}
	for _, name := range names {
		name = "ambit/v1/" + filepath.Base(name)
		f, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			t.Fatalf("%s is not in Go's code: run make api: %v", name, err)
		}
		add(f)
		r.FileToGenerate = append(r.FileToGenerate, name)
	}
	return r
}

func generated(t *testing.T, r *pluginpb.CodeGeneratorRequest) (files map[string]string, failed string) {
	t.Helper()
	p, err := protogen.Options{}.New(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := generate(p); err != nil {
		return nil, err.Error()
	}
	files = map[string]string{}
	for _, f := range p.Response().GetFile() {
		files[f.GetName()] = f.GetContent()
	}
	return files, p.Response().GetError()
}

var remark = regexp.MustCompile(`(?m)^ *(//|/?\*|#:).*$|"""(?s:.*?)"""`)

// plain is code without comments and empty lines, and with one space for each run of
// them, since gofmt aligns what stands beside comments otherwise.
func plain(code string) string {
	var b strings.Builder
	for line := range strings.Lines(remark.ReplaceAllString(code, "")) {
		if words := strings.Fields(line); len(words) > 0 {
			b.WriteString(strings.Join(words, " ") + "\n")
		}
	}
	return b.String()
}

// What is made of the contract is what lies there. Comments are not compared.
func TestMade(t *testing.T) {
	files, failed := generated(t, contract(t))
	if failed != "" {
		t.Fatal(failed)
	}
	for _, name := range []string{typescriptFile, wireFile, pythonFile, goFile} {
		there, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		want, got := plain(files[name]), plain(string(there))
		if want == "" || want != got {
			t.Errorf("%s is not what the contract makes: run make api%s", name, difference(want, got))
		}
	}
}

// difference is the first line in which two texts differ.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return "\nwant " + a[i] + "\ngot  " + strings.Join(b[min(i, len(b)):min(i+1, len(b))], "")
		}
	}
	return "\nit has more lines"
}

// A service that is added is in every client, and its lists have pages; what clients
// cannot express is refused.
func TestAdded(t *testing.T) {
	text, list := descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	added := func() (*pluginpb.CodeGeneratorRequest, *descriptorpb.FileDescriptorProto) {
		f := &descriptorpb.FileDescriptorProto{
			Name: new("ambit/v1/zebra.proto"), Package: new("ambit.v1"), Syntax: new("proto3"),
			Options: &descriptorpb.FileOptions{GoPackage: new("ambit.dev/ambit/api/ambit/v1;ambitv1")},
			MessageType: []*descriptorpb.DescriptorProto{
				{Name: new("Zebra")},
				{Name: new("ListZebrasRequest"), Field: []*descriptorpb.FieldDescriptorProto{
					{Name: new("page_token"), JsonName: new("pageToken"), Number: new(int32(1)), Type: text},
					{Name: new("from"), JsonName: new("from"), Number: new(int32(2)), Type: text}}},
				{Name: new("ListZebrasResponse"), Field: []*descriptorpb.FieldDescriptorProto{
					{Name: new("zebras"), JsonName: new("zebras"), Number: new(int32(1)), Type: text, Label: list},
					{Name: new("next_page_token"), JsonName: new("nextPageToken"), Number: new(int32(2)), Type: text}}},
			},
			Service: []*descriptorpb.ServiceDescriptorProto{{Name: new("ZebraService"), Method: []*descriptorpb.MethodDescriptorProto{
				{Name: new("ListZebras"), InputType: new(".ambit.v1.ListZebrasRequest"), OutputType: new(".ambit.v1.ListZebrasResponse")}}}},
		}
		r := contract(t)
		r.ProtoFile, r.FileToGenerate = append(r.ProtoFile, f), append(r.FileToGenerate, f.GetName())
		return r, f
	}
	r, _ := added()
	files, failed := generated(t, r)
	if failed != "" {
		t.Fatal(failed)
	}
	for name, wants := range map[string][]string{
		typescriptFile: {"readonly zebras: ZebraService", "listZebras(request", "allZebras(request: Init<ListZebrasRequest> = {}, options: CallOptions = {}): AsyncGenerator<string>", "from: string"},
		wireFile:       {"export interface ListZebrasResponse"},
		pythonFile:     {"self.zebras = ZebraService(service)", "def list_zebras(", "def all_zebras(", "from_: str", `"from_", "from"`},
		goFile:         {"Zebras", "NewZebraServiceClient"},
	} {
		for _, want := range wants {
			if !strings.Contains(files[name], want) {
				t.Errorf("%s has no %q", name, want)
			}
		}
	}
	for what, change := range map[string]func(*descriptorpb.FileDescriptorProto){
		"streams": func(f *descriptorpb.FileDescriptorProto) { f.Service[0].Method[0].ClientStreaming = new(true) },
		"float": func(f *descriptorpb.FileDescriptorProto) {
			f.MessageType[1].Field[1].Type = descriptorpb.FieldDescriptorProto_TYPE_FLOAT.Enum()
		},
		"a page of what": func(f *descriptorpb.FileDescriptorProto) { f.MessageType[2].Field[0].Label = nil },
	} {
		r, f := added()
		change(f)
		if _, failed := generated(t, r); !strings.Contains(failed, what) {
			t.Errorf("%s: %q", what, failed)
		}
	}
}
