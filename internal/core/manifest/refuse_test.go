package manifest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/manifest"
)

// minimal is a manifest with %s for further keys.
// long are paths that are too much for one capability.
var long = `"/` + strings.Repeat("a", 4000) + `", "/` + strings.Repeat("b", 4000) + `", "/` + strings.Repeat("c", 4000) +
	`", "/` + strings.Repeat("d", 4000) + `", "/` + strings.Repeat("e", 4000) + `"`

const minimal = `{"id": "a", "kind": "cli-tool", "entry": ["x"]%s}`

// refused are manifests with the place and a part of what is said about it.
// Those that a JSON Schema can refuse too are marked.
var refused = []struct {
	name, text   string
	line, column int
	msg          string
	schema       bool
}{
	{"empty", "", 1, 1, "the file ends in the middle", false},
	{"blank", " \n\t", 2, 2, "the file ends in the middle", false},
	{"comment only", "// x", 1, 1, "the file ends in the middle", false},
	{"cut off in an object", `{"id": "a",`, 1, 12, "the file ends in the middle", false},
	{"cut off in a text", "{\n\"id\": \"a", 2, 9, "the file ends in the middle", false},
	{"trailing garbage", "{}\nx", 2, 1, "expected JSON: invalid character 'x' after top-level value", false},
	{"two values", "{}{}", 1, 3, "after top-level value", false},
	{"no comma", `{"id": "a" "b"}`, 1, 12, "expecting ',' or '}'", false},
	{"not UTF-8", "{\"id\": \"\xff\"}", 1, 9, "expected UTF-8, found the byte 0xff", false},
	{"half a pair", `{"id": "\ud800"}`, 1, 9, "surrogate pair", false},
	{"other half of a pair", `{"id": "\\\udc00"}`, 1, 11, "surrogate pair", false},
	{"half a pair and more", `{"id": "\uD800\u0041"}`, 1, 9, "surrogate pair", false},
	{"huge", strings.Repeat(" ", 70000), 1, 65537, "at most 65536 bytes", false},
	{"deep", strings.Repeat("[", 65000), 1, 65001, "the file ends in the middle", false},
	{"a list", "[]", 1, 1, "expected a manifest, an object in { }, found a list", true},
	{"a text", `"x"`, 1, 1, "found a text", true},
	{"a number", "1", 1, 1, "found a number", true},
	{"null", "null", 1, 1, "found null", true},
	{"true", "true", 1, 1, "found true or false", true},
	{"nothing in it", "{}", 1, 2, `expected the key "id"`, true},
	{"no kind", `{"id": "a", "entry": ["x"]}`, 1, 27, `expected the key "kind"`, true},
	{"no entry", "{\"id\": \"a\", \"kind\": \"agent\"\n}", 2, 1, `expected the key "entry"`, true},
	{"unknown key", fmt.Sprintf(minimal, ", \"x\": 1"), 1, 49, `expected one of "$schema", "capabilities", "description"`, true},
	{"key in another case", fmt.Sprintf(minimal, `, "ID": "b"`), 1, 49, `unknown key "ID"`, true},
	{"open", fmt.Sprintf(minimal, `, "open": true`), 1, 49, `unknown key "open"`, true},
	{"key twice", fmt.Sprintf(minimal, `, "id": "b"`), 1, 49, `"id" was there before`, false},
	{"key twice, escaped", fmt.Sprintf(minimal, `, "\u0069d": "b"`), 1, 49, `"id" was there before`, false},
	{"key with half a pair", fmt.Sprintf(minimal, `, "\udead": "b"`), 1, 50, "surrogate pair", false},
	{"id of a wrong type", `{"id": 1}`, 1, 8, "expected a text in double quotes, found a number", true},
	{"zones in a list", fmt.Sprintf(minimal, `, "zones": []`), 1, 58, "expected zones, an object in { }, found a list", true},
	{"zone with a path for a name", fmt.Sprintf(minimal, `, "zones": {"../a": {"mode": "ro"}}`), 1, 59, "expected a zone's name such as output", true},
	{"zone without a name", fmt.Sprintf(minimal, `, "zones": {"": {"mode": "ro"}}`), 1, 59, "expected a zone's name", true},
	{"zone with too long a name", fmt.Sprintf(minimal, `, "zones": {"`+strings.Repeat("a", 65)+`": {"mode": "ro"}}`), 1, 59, "at most 64", true},
	{"zone with a dash before its name", fmt.Sprintf(minimal, `, "zones": {"-a": {"mode": "ro"}}`), 1, 59, "expected a zone's name", true},
	{"zone with a dash behind its name", fmt.Sprintf(minimal, `, "zones": {"a-": {"mode": "ro"}}`), 1, 59, "expected a zone's name", true},
	{"zone with half a pair for a name", fmt.Sprintf(minimal, `, "zones": {"\ud800": {"mode": "ro"}}`), 1, 60, "surrogate pair", false},
	{"zone twice", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "ro"}, "a": {"mode": "rw"}}`), 1, 80, `"a" was there before`, false},
	{"zone without a mode", fmt.Sprintf(minimal, `, "zones": {"a": {}}`), 1, 64, `expected the key "mode"`, true},
	{"zone of another mode", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "rx"}}`), 1, 73, `expected one of "ro", "rw", "append", "cow"`, true},
	{"zone that is optional in words", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "ro", "optional": "no"}}`), 1, 91, "expected true or false", true},
	{"zone with an empty bound", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "rw", "disk": "0"}}`), 1, 87, "expected a size such as", true},
	{"bound of what is read", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "ro", "files": "1"}}`), 1, 64, "expected no bound", true},
	{"copy of nothing", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "cow"}}`), 1, 64, `expected the key "of"`, true},
	{"folder of the host to write", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "rw", "of": "/srv"}}`), 1, 64, `expected the key "of"`, true},
	{"copy of a pattern", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "cow", "of": "/srv/*"}}`), 1, 64, "expected one folder, found a pattern", true},
	{"copy of everything", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "cow", "of": "/"}}`), 1, 64, "of: ", false},
	{"zone that is listed too", fmt.Sprintf(minimal, `, "zones": {"a": {"mode": "ro"}}, "capabilities": ["fs.read:/zones/a"]`), 1, 64, "found fs.read:/zones/a again, which the zone a is", false},
	{"null for a text", `{"id": null}`, 1, 8, "found null", true},
	{"id with a space", `{"id": "a b"}`, 1, 8, "expected an id such as", true},
	{"id with dots", `{"id": "../b"}`, 1, 8, "expected an id such as", true},
	{"id with an empty part", `{"id": "a//b"}`, 1, 8, "expected an id such as", true},
	{"empty id", `{"id": ""}`, 1, 8, "expected an id such as", true},
	{"long id", `{"id": "` + strings.Repeat("a", 129) + `"}`, 1, 8, "expected an id such as", true},
	{"empty name", fmt.Sprintf(minimal, `, "name": ""`), 1, 57, "printing characters", true},
	{"name of two lines", fmt.Sprintf(minimal, `, "name": "a\nb"`), 1, 57, "printing characters", true},
	{"name that turns around", fmt.Sprintf(minimal, `, "name": "a\u202eb"`), 1, 57, "printing characters", true},
	{"long version", fmt.Sprintf(minimal, `, "version": "`+strings.Repeat("1", 257)+`"`), 1, 60, "1 to 256 bytes", true},
	{"description with an escape", fmt.Sprintf(minimal, `, "description": "\u001b[0m"`), 1, 64, "line breaks and tabs", true},
	{"unknown kind", `{"kind": "tool"}`, 1, 10, `expected one of "cli-tool", "mcp-tool"`, true},
	{"entry as a text", `{"entry": "x"}`, 1, 11, "expected a program and its arguments, a list in [ ], found a text", true},
	{"empty entry", `{"entry": []}`, 1, 11, "found an empty list", true},
	{"empty program", `{"entry": [""]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"absolute program", `{"entry": ["/bin/sh"]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"program outside", `{"entry": ["./../x"]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"program below nothing", `{"entry": ["bin/x"]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"program that is the pack", `{"entry": ["./"]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"program that is a directory", `{"entry": ["."]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"program with an empty part", `{"entry": ["./a//b"]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"program like a flag", `{"entry": ["-x"]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"program with NUL", `{"entry": ["x\u0000"]}`, 1, 12, "a file of the pack such as ./run.py", true},
	{"argument with NUL", `{"entry": ["x", "\u0000"]}`, 1, 17, "without NUL", true},
	{"argument of a wrong type", `{"entry": ["x", 1]}`, 1, 17, "expected a text", true},
	{"env of a wrong type", fmt.Sprintf(minimal, `, "env": {}`), 1, 56, "a list in [ ], found an object", true},
	{"env with a value", fmt.Sprintf(minimal, `, "env": ["A=b"]`), 1, 57, "the name of an environment variable", true},
	{"env with a digit first", fmt.Sprintf(minimal, `, "env": ["1A"]`), 1, 57, "the name of an environment variable", true},
	{"env with nothing", fmt.Sprintf(minimal, `, "env": [""]`), 1, 57, "the name of an environment variable", true},
	{"env twice", fmt.Sprintf(minimal, `, "env": ["A", "A"]`), 1, 62, `found "A" again`, true},
	{"limits as a list", fmt.Sprintf(minimal, `, "limits": []`), 1, 59, "expected limits, an object", true},
	{"unknown limit", fmt.Sprintf(minimal, `, "limits": {"ram": "1G"}`), 1, 60, `"cpu", "disk", "fds", "memory", "pids", "wall"`, true},
	{"memory as a number", fmt.Sprintf(minimal, `, "limits": {"memory": 1}`), 1, 70, "expected a text", true},
	{"memory of no unit we know", fmt.Sprintf(minimal, `, "limits": {"memory": "1X"}`), 1, 70, "512M", true},
	{"memory of two units", fmt.Sprintf(minimal, `, "limits": {"memory": "1KK"}`), 1, 70, "512M", true},
	{"no memory", fmt.Sprintf(minimal, `, "limits": {"memory": "0"}`), 1, 70, "512M", true},
	{"too much disk", fmt.Sprintf(minimal, `, "limits": {"disk": "1111111111111111"}`), 1, 68, "512M", true},
	{"half a process", fmt.Sprintf(minimal, `, "limits": {"pids": "0.5"}`), 1, 68, "a whole number above 0", true},
	{"no processors", fmt.Sprintf(minimal, `, "limits": {"cpu": "0.0"}`), 1, 67, "such as 2 or 0.5", true},
	{"processors with a dot", fmt.Sprintf(minimal, `, "limits": {"cpu": "1."}`), 1, 67, "such as 2 or 0.5", true},
	{"no time", fmt.Sprintf(minimal, `, "limits": {"wall": "0s"}`), 1, 68, "90s or 10m", false},
	{"time without unit", fmt.Sprintf(minimal, `, "limits": {"wall": "90"}`), 1, 68, "90s or 10m", true},
	{"unknown home", fmt.Sprintf(minimal, `, "home": "mine"`), 1, 57, `"none", "ephemeral", "private"`, true},

	{"capabilities as an object", fmt.Sprintf(minimal, `, "capabilities": {}`), 1, 65, "expected capabilities, a list", true},
	{"capability as a number", fmt.Sprintf(minimal, `, "capabilities": [1]`), 1, 66, "expected a text in double quotes, found a number", true},
	{"unknown capability", fmt.Sprintf(minimal, `, "capabilities": ["fs.eat:/a"]`), 1, 67, "expected a kind of capability", false},
	{"everything", fmt.Sprintf(minimal, `, "capabilities": ["fs.read:/"]`), 1, 75, "whole file system", false},
	{"everything, escaped", fmt.Sprintf(minimal, `, "capabilities": ["fs.read\u003a/"]`), 1, 66, "whole file system", false},
	{"capability twice", fmt.Sprintf(minimal, `, "capabilities": ["host.execute", "require_host_execution"]`), 1, 82, "found host.execute again", false},
	{"capability object without one", fmt.Sprintf(minimal, `, "capabilities": [{"reason": "x"}]`), 1, 66, `expected the key "capability"`, true},
	{"capability object with two", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "host.execute", "net.connect": {"host": "a.com"}}]`), 1, 121, "found two", true},
	{"capability object with an unknown key", fmt.Sprintf(minimal, `, "capabilities": [{"capabilty": "x"}]`), 1, 67, `unknown key "capabilty"`, true},
	{"optional as a text", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "host.execute", "optional": "yes"}]`), 1, 109, "expected true or false, found a text", true},
	{"optional as a list", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "host.execute", "optional": []}]`), 1, 109, "expected true or false, found a list", true},
	{"empty reason", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "host.execute", "reason": ""}]`), 1, 107, "printing characters", true},
	{"capability of a wrong type", fmt.Sprintf(minimal, `, "capabilities": [{"capability": {}}]`), 1, 81, "found an object", true},
	{"methods for a file", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "fs.read:/a", "methods": ["GET"]}]`), 1, 66, "only with net.connect or net.stream over TCP", true},
	{"methods over UDP", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com/udp", "methods": ["GET"]}}]`), 1, 66, "only with net.connect or net.stream over TCP", false},
	{"a variable for a file", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "fs.read:/a", "env": "A"}]`), 1, 66, "only with secret.use", true},
	{"a variable of no name", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "secret.use:a@b.com", "env": "A=B"}]`), 1, 110, "name of an environment variable", true},
	{"no host", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"methods": ["GET"]}}]`), 1, 82, `expected the key "host"`, true},
	{"host as a capability", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": "a.com"}]`), 1, 82, "expected a host and rules, an object", true},
	{"wrong host", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a..com"}}]`), 1, 94, "found nothing", false},
	{"empty host", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": ""}}]`), 1, 92, "expected a host such as", true},
	{"no methods", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "methods": []}}]`), 1, 111, "leave the key out", true},
	{"methods as a text", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "methods": "GET"}}]`), 1, 111, "a list in [ ], found a text", true},
	{"small method", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "methods": ["get"]}}]`), 1, 112, "in capitals", true},
	{"method that tunnels", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "methods": ["CONNECT"]}}]`), 1, 112, "not CONNECT or TRACE", true},
	{"rules twice", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "methods": ["GET"]}, "methods": ["PUT"]}]`), 1, 132, "in one place only", true},
	{"relative path of a request", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "paths": ["repos"]}}]`), 1, 110, "a path such as", true},
	{"path of a request with a query", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "paths": ["/a?b"]}}]`), 1, 110, "without ? and #", true},
	{"path of a request that climbs", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "paths": ["/a/../b"]}}]`), 1, 110, "reads in one way", true},
	{"path of a request with an empty part", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "paths": ["//a"]}}]`), 1, 110, "no empty part", true},
	{"rules beside rules", fmt.Sprintf(minimal, `, "capabilities": [{"capability": "net.connect:a.com/http:GET", "paths": ["/a"]}]`), 1, 66, "in one place", false},
	{"too many rules", fmt.Sprintf(minimal, `, "capabilities": [{"net.connect": {"host": "a.com", "paths": [`+long+`]}}]`), 1, 66, "at most 16640 bytes", false},
}

func TestRefuse(t *testing.T) {
	for _, tc := range refused {
		m, err := manifest.Parse("dir/ambit.json", []byte(tc.text))
		var e *manifest.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %+v, %v; want an Error", tc.name, m, err)
			continue
		}
		if e.File != "dir/ambit.json" || e.Line != tc.line || e.Column != tc.column || !strings.Contains(e.Msg, tc.msg) {
			t.Errorf("%s: got %v; want %d:%d and %q", tc.name, e, tc.line, tc.column, tc.msg)
		}
		if m.ID != "" || m.Wants != nil || m.Open {
			t.Errorf("%s: part of it was returned: %+v", tc.name, m)
		}
	}
}

func TestRefuseForeign(t *testing.T) {
	for text, want := range map[string]string{
		`{"capabilities": []}`:                   "aip.json:1:20: expected the key \"id\", or a name that can stand for it",
		`{"name": "My pack"}`:                    "expected the key \"id\"",
		`{"id": "a", "id": "b"}`:                 `"id" was there before`,
		`{"id": "a", "tools": 1, "tools": 2}`:    `"tools" was there before`,
		`{"id": "a", "capabilities": ["x.y.z"]}`: "aip.json:1:31: expected a kind of capability",
		`{"id": "a", "capabilities": "fs"}`:      "a list in [ ], found a text",
	} {
		_, err := manifest.Parse("aip.json", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v; want %q", text, err, want)
		}
	}
}
