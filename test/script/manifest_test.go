package script_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// badManifests are refused with one line that says where, and what was expected
// there. %s stands for nothing; the place is that of the message.
var badManifests = []struct{ name, text, at, want string }{
	{"empty", "", "1:1", "the file ends in the middle"},
	{"cut off", `{"id": "org.example.x", "kind"`, "1:31", "the file ends in the middle"},
	{"not an object", `[]`, "1:1", "expected a manifest, an object in { }, found a list"},
	{"nothing in it", `{}`, "1:2", `expected the key "id"`},
	{"no kind", `{"id": "org.example.x"}`, "1:23", `expected the key "kind"`},
	{"unknown key", "{\n  \"id\": \"org.example.x\",\n  \"permissions\": []\n}", "3:3", `found the unknown key "permissions"`},
	{"key twice", "{\n  \"id\": \"org.example.x\",\n  \"id\": \"org.example.y\"\n}", "3:3", `expected each key once; "id" was there before`},
	{"id is a number", `{"id": 7}`, "1:8", "expected a text in double quotes, found a number"},
	{"id with a space", `{"id": "a b"}`, "1:8", "expected an id such as org.example.history"},
	{"unknown kind", `{"id": "x", "kind": "plugin"}`, "1:21", `expected one of "cli-tool"`},
	{"entry is a text", `{"id": "x", "kind": "cli-tool", "entry": "sh"}`, "1:42", "expected a program and its arguments, a list in [ ], found a text"},
	{"entry is empty", `{"id": "x", "kind": "cli-tool", "entry": []}`, "1:42", "expected a program, found an empty list"},
	{"something after the end", `{"id": "x", "kind": "cli-tool", "entry": ["sh"]} {}`, "1:50", "expected JSON"},
	{"not UTF-8", "{\"id\": \"\xff\"}", "1:9", "expected UTF-8, found the byte 0xff"},
	{"bad capability", "{\"id\": \"x\", \"kind\": \"cli-tool\", \"entry\": [\"sh\"],\n  \"capabilities\": [\"fs.raed:in\"]}", "2:21", "expected a kind of capability"},
	{"capability climbs", "{\"id\": \"x\", \"kind\": \"cli-tool\", \"entry\": [\"sh\"],\n  \"capabilities\": [\"fs.read:../x\"]}", "2:29", "expected a path that stays below where it starts"},
	{"the whole disk", "{\"id\": \"x\", \"kind\": \"cli-tool\", \"entry\": [\"sh\"],\n  \"capabilities\": [\"fs.write:/\"]}", "2:30", "as wide as the whole file system"},
	{"unknown limit", `{"id": "x", "kind": "cli-tool", "entry": ["sh"], "limits": {"speed": "1"}}`, "1:61", `found the unknown key "speed"`},
	{"limit is a number", `{"id": "x", "kind": "cli-tool", "entry": ["sh"], "limits": {"memory": 5}}`, "1:71", "expected a text in double quotes, found a number"},
	{"home", `{"id": "x", "kind": "cli-tool", "entry": ["sh"], "home": "mine"}`, "1:58", `expected one of "none", "ephemeral", "private", found "mine"`},
	{"half a surrogate pair", `{"id": "x", "kind": "cli-tool", "entry": ["\ud800"]}`, "1:44", "found half of a surrogate pair"},
}

func TestBadManifests(t *testing.T) {
	for _, tc := range badManifests {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			path := b.write("pack/ambit.json", tc.text)
			prefix := fmt.Sprintf("ambit: %s:%s: ", path, tc.at)
			for _, args := range [][]string{{"pack", "check", "pack"}, {"run", "--pack", "pack"}, {"grants", "add", "--pack", "pack", "--all"}} {
				r := b.run(args...)
				if r.status != 125 || !strings.HasPrefix(r.err, prefix) || !strings.Contains(r.err, tc.want) {
					t.Errorf("%v: exit status %d\ngot  %swant %s… %s", args, r.status, r.err, prefix, tc.want)
				}
				if strings.Count(r.err, "\n") != 1 || r.out != "" {
					t.Errorf("%v: more than one line:\n%s%s", args, r.out, r.err)
				}
			}
		})
	}
}

// A manifest that is too long, and one that is a folder, are refused too.
func TestStrangeManifestFiles(t *testing.T) {
	b := newBench(t)
	b.write("long/ambit.json", "{\"id\": \"x\"}"+strings.Repeat(" ", 70_000))
	b.run("pack", "check", "long").want(t, 125, "expected at most 65536 bytes")
	b.write("folder/ambit.json/x", "")
	b.run("pack", "check", "folder").want(t, 125, "read the manifest: ")
	b.write("deep/ambit.json", strings.Repeat("[", 30_000))
	b.run("pack", "check", "deep").want(t, 125, filepath.Join(b.dir, "deep/ambit.json")+":1:")
}
