package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/policy/wire"
)

var ana = wire.User{UID: 1000, Name: "ana", Home: "/home/ana", Groups: []int{27, 1000}}

func setOf(t *testing.T, text string) *Set {
	t.Helper()
	s, err := parse([]file{{"p.cedar", []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func request(t *testing.T, text string) wire.Request {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Request{Capability: c}
}

// said is a verdict in one word, or in the holes of it.
func said(v wire.Verdict) string {
	switch {
	case v.Forbidden && strings.Contains(v.Why, "cannot be told apart"):
		return "vague"
	case v.Forbidden:
		return "forbidden"
	}
	var holes []string
	for _, h := range v.Holes {
		holes = append(holes, h.Capability.String())
	}
	return strings.Join(append([]string{"open"}, holes...), " ")
}

// TestGrants holds what a forbid about paths comes to for a grant of a folder.
func TestGrants(t *testing.T) {
	const forbid = "forbid (principal, action in Ambit::Action::\"fs\", resource%s;"
	glob := fmt.Sprintf(forbid, ` in Ambit::Glob::"/home/*/.ssh")`)
	folder := fmt.Sprintf(forbid, ` in Ambit::Path::"/home/ana/.ssh")`)
	exact := fmt.Sprintf(forbid, ` == Ambit::Path::"/home/ana/.env")`)
	like := fmt.Sprintf(forbid, `) when { resource.path like "/home/*/.ssh/*" }`)
	tail := fmt.Sprintf(forbid, `) when { resource.path like "/home/ana/.ssh/*" }`)
	begins := fmt.Sprintf(forbid, `) when { resource.path like "/home/ana/.ssh*" }`)
	unless := fmt.Sprintf(forbid, `) unless { resource in Ambit::Path::"/work" }`)
	unlessLike := fmt.Sprintf(forbid, `) unless { resource.path like "/work/*" }`)
	either := fmt.Sprintf(forbid, `) when { resource in Ambit::Path::"/home/ana/a" || resource in Ambit::Path::"/home/ana/b" }`)
	named := fmt.Sprintf(forbid, `) when { resource.name == ".env" }`)
	program := fmt.Sprintf(forbid, `) when { context has program && context.program == "curl" }`)
	both := fmt.Sprintf(forbid, `) when { resource in Ambit::Path::"/home/ana/.ssh" && resource.name == "id" }`)
	choice := fmt.Sprintf(forbid, `) when { if resource in Ambit::Path::"/home/ana/.ssh" then true else false }`)
	writes := `forbid (principal, action == Ambit::Action::"fs.write", resource in Ambit::Path::"/home/ana/.ssh");`
	for _, tc := range []struct{ policy, ask, want string }{
		{glob, "fs.read:/home/ana", "open fs.read:/home/ana/.ssh"},
		{glob, "fs.read:/home/ana/project", "open"},
		{glob, "fs.read:/home/ana/.ssh", "forbidden"},
		{glob, "fs.read:/home/ana/.ssh/id", "forbidden"},
		{glob, "fs.read:/home/ana/.sshd", "open"},
		{glob, "fs.read:/home", "vague"},
		{glob, "fs.read:/home/*/x", "vague"},
		{glob, "fs.read:/srv", "open"},
		{folder, "fs.read:/home", "open fs.read:/home/ana/.ssh"},
		{folder, "fs.read:/home/ana/.ssh/keys", "forbidden"},
		{folder, "fs.read:/home/bob", "open"},
		{folder, "fs.write:/home/ana", "open fs.write:/home/ana/.ssh fs.read:/home/ana/.ssh fs.append:/home/ana/.ssh"},
		{writes, "fs.read:/home/ana", "open"},
		{writes, "fs.write:/home/ana", "open fs.write:/home/ana/.ssh"},
		{exact, "fs.read:/home/ana", "open fs.read:/home/ana/.env"},
		{exact, "fs.read:/home/ana/.envrc", "open"},
		{like, "fs.read:/home/ana", "vague"},
		{like, "fs.read:/srv", "open"},
		{tail, "fs.read:/home/ana", "open fs.read:/home/ana/.ssh"},
		{tail, "fs.read:/home/ana/.ssh/keys", "forbidden"},
		{tail, "fs.read:/home/ana/.ssh", "vague"},
		{tail, "fs.read:/home/ana/x", "open"},
		{begins, "fs.read:/home/ana", "vague"},
		{begins, "fs.read:/home/ana/.ssh2", "forbidden"},
		{unless, "fs.read:/work/a", "open"},
		{unless, "fs.read:/work", "open"},
		{unless, "fs.read:/workshop", "forbidden"},
		{unless, "fs.read:/srv", "forbidden"},
		{unlessLike, "fs.read:/work/a", "open"},
		{unlessLike, "fs.read:/work", "vague"},
		{unlessLike, "fs.read:/srv", "forbidden"},
		{either, "fs.read:/home/ana", "open fs.read:/home/ana/a fs.read:/home/ana/b"},
		{named, "fs.read:/home/ana", "vague"},
		{program, "fs.read:/home/ana", "vague"},
		{both, "fs.read:/home/ana", "open fs.read:/home/ana/.ssh"},
		{choice, "fs.read:/home/ana", "open fs.read:/home/ana/.ssh"},
	} {
		if got := said(setOf(t, tc.policy).Judge(request(t, tc.ask), ana)); !slices.Equal(inOrder(got), inOrder(tc.want)) {
			t.Errorf("%s\n%s: got %q, want %q", tc.policy, tc.ask, got, tc.want)
		}
	}
}

// inOrder are the words of a text, sorted.
func inOrder(text string) []string { return slices.Sorted(strings.FieldsSeq(text)) }

// TestFiles: of one file it is known what it is, so patterns are exact.
func TestFiles(t *testing.T) {
	for _, tc := range []struct{ policy, ask, want string }{
		{`forbid (principal, action, resource is Ambit::Path) when { resource.path like "/home/*/.ssh/*" };`, "fs.read:/home/ana/.ssh/id", "forbidden"},
		{`forbid (principal, action, resource is Ambit::Path) when { resource.path like "/home/*/.ssh/*" };`, "fs.read:/home/ana/notes", "open"},
		{`forbid (principal, action, resource is Ambit::Path) when { resource.name == ".env" };`, "fs.read:/home/ana/.env", "forbidden"},
		{`forbid (principal, action, resource is Ambit::Path) when { resource.name == ".env" };`, "fs.read:/home/ana/.envrc", "open"},
		{`forbid (principal, action, resource == Ambit::Path::"/a/b");`, "fs.read:/a/b", "forbidden"},
		{`forbid (principal, action == Ambit::Action::"process.spawn", resource in Ambit::Path::"/usr/local");`, "process.spawn:/usr/local/bin/x", "forbidden"},
		{`forbid (principal, action == Ambit::Action::"process.spawn", resource == Ambit::Program::"/usr/bin/curl");`, "process.spawn:/usr/bin/cat", "open"},
	} {
		r := request(t, tc.ask)
		r.Single = true
		if got := said(setOf(t, tc.policy).Judge(r, ana)); got != tc.want {
			t.Errorf("%s\n%s: got %q, want %q", tc.policy, tc.ask, got, tc.want)
		}
	}
}

// TestOthers holds what is said of all that is not a path.
func TestOthers(t *testing.T) {
	const evil = `forbid (principal, action, resource in Ambit::Domain::"evil.example");`
	const ports = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has port && resource.port == 22 };`
	const posts = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has method && resource.method == "POST" };`
	const inner = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { resource has ip && resource.ip.isInRange(ip("10.0.0.0/8")) };`
	const ours = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) unless { resource in Ambit::Domain::"corp.example" };`
	for _, tc := range []struct{ policy, ask, want string }{
		{evil, "net.connect:evil.example", "forbidden"},
		{evil, "net.connect:a.evil.example:443", "forbidden"},
		{evil, "net.connect:notevil.example:443", "open"},
		{evil, "net.connect:*", "open"}, // each flow is decided
		{evil, "secret.use:key@evil.example", "forbidden"},
		{evil, "fs.read:/evil.example", "open"},
		{ports, "net.connect:a.example:22", "forbidden"},
		{ports, "net.connect:a.example:443", "open"},
		{ports, "net.connect:a.example", "open"}, // each flow is decided
		{posts, "net.connect:a.example:443/http:POST:/x", "forbidden"},
		{posts, "net.connect:a.example:443/http:GET:/x", "open"},
		{posts, "net.connect:a.example:443", "forbidden"}, // nobody would see
		{inner, "net.connect:10.1.2.3:80", "forbidden"},
		{inner, "net.connect:192.0.2.1:80", "open"},
		{ours, "net.connect:git.corp.example:443", "open"},
		{ours, "net.connect:a.example:443", "forbidden"},
		{ours, "net.connect:a.example", "forbidden"},
		{`forbid (principal, action == Ambit::Action::"net.listen", resource) when { resource.port < 1024 };`, "net.listen:80", "forbidden"},
		{`forbid (principal, action == Ambit::Action::"net.listen", resource) when { resource.port < 1024 };`, "net.listen:8080", "open"},
		{`forbid (principal, action == Ambit::Action::"host.execute", resource);`, "host.execute", "forbidden"},
		{`forbid (principal == Ambit::User::"1000/ana", action, resource);`, "host.execute", "forbidden"},
		{`forbid (principal == Ambit::User::"1001/bob", action, resource);`, "host.execute", "open"},
		{`forbid (principal in Ambit::Group::"27", action, resource);`, "host.execute", "forbidden"},
		{`forbid (principal, action, resource) unless { context has signer && context.signer == "us" };`, "host.execute", "forbidden"},
		{`forbid (principal, action == Ambit::Action::"process.spawn", resource == Ambit::Program::"/usr/bin/curl");`, "process.spawn", "open process.spawn:/usr/bin/curl"},
		{`forbid (principal, action == Ambit::Action::"process.spawn", resource) when { resource.name == "curl" };`, "process.spawn", "vague"},
		{`permit (principal, action, resource);`, "host.execute", "open"},
	} {
		if got := said(setOf(t, tc.policy).Judge(request(t, tc.ask), ana)); got != tc.want {
			t.Errorf("%s\n%s: got %q, want %q", tc.policy, tc.ask, got, tc.want)
		}
	}
}

// TestLeads holds what is said of an address to which a name leads, which was allowed
// itself: what is about addresses, by range or by name, and no more than that.
func TestLeads(t *testing.T) {
	const forbid = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host)`
	inner := forbid + ` when { resource has ip && resource.ip.isInRange(ip("192.0.2.0/24")) };`
	exact := `forbid (principal, action in Ambit::Action::"net", resource == Ambit::Host::"192.0.2.1");`
	listed := forbid + ` when { ["192.0.2.9", "192.0.2.1"].contains(resource.host) };`
	ours := forbid + ` unless { resource in Ambit::Domain::"corp.example" };`
	but := forbid + ` unless { resource in Ambit::Domain::"corp.example" && resource != Ambit::Host::"192.0.2.1" };`
	deletes := forbid + ` when { resource has method && resource.method == "DELETE" };`
	both := forbid + ` when { resource has ip && resource.ip.isInRange(ip("192.0.2.0/24")) && resource has target && resource.target == "/x" };`
	exactly := `forbid (principal, action == Ambit::Action::"net.connect", resource == Ambit::Host::"192.0.2.1") when { resource has target && resource.target == "/x" };`
	for _, tc := range []struct{ policy, name, leads, want string }{
		{inner, "net.connect:a.corp.example:80", "net.connect:192.0.2.1:80", "forbidden"},
		{inner, "net.connect:a.corp.example:80", "net.connect:198.51.100.1:80", "open"},
		{inner, "net.connect:a.corp.example:80/http", "net.connect:192.0.2.1:80/http", "forbidden"},
		{exact, "net.connect:a.corp.example:80", "net.connect:192.0.2.1:80", "forbidden"},
		{exact, "net.connect:a.corp.example:80", "net.connect:192.0.2.2:80", "open"},
		{exact, "net.connect:a.corp.example:80/udp", "net.connect:192.0.2.1:80/udp", "forbidden"},
		{listed, "net.connect:a.corp.example:80", "net.connect:192.0.2.1:80", "forbidden"},
		{ours, "net.connect:a.corp.example:80", "net.connect:192.0.2.1:80", "open"},
		{but, "net.connect:a.corp.example:80", "net.connect:192.0.2.1:80", "forbidden"},
		{but, "net.connect:a.corp.example:80", "net.connect:192.0.2.2:80", "open"},
		{deletes, "net.connect:a.corp.example:80/http", "net.connect:192.0.2.1:80/http", "open"}, // each request is decided
		{both, "net.connect:a.corp.example:80/http:GET:/x", "net.connect:192.0.2.1:80/http:GET:/x", "forbidden"},
		{both, "net.connect:a.corp.example:80/http:GET:/y", "net.connect:192.0.2.1:80/http:GET:/y", "open"},
		{both, "net.connect:a.corp.example:80/http:GET:/x", "net.connect:198.51.100.1:80/http:GET:/x", "open"},
		{both, "net.connect:a.corp.example:80/http:GET", "net.connect:192.0.2.1:80/http:GET", "forbidden"}, // of any path
		{both, "net.connect:a.corp.example:80", "net.connect:192.0.2.1:80", "forbidden"},                   // nobody would see
		{exactly, "net.connect:a.corp.example:80/http:GET:/x", "net.connect:192.0.2.1:80/http:GET:/x", "forbidden"},
		{exactly, "net.connect:a.corp.example:80/http:GET:/y", "net.connect:192.0.2.1:80/http:GET:/y", "open"},
		{exactly, "net.connect:a.corp.example:80/http:GET", "net.connect:192.0.2.1:80/http:GET", "forbidden"},
		{exactly, "net.stream:a.corp.example:80/http:GET:/x", "net.stream:192.0.2.1:80/http:GET:/x", "forbidden"}, // which includes connecting
	} {
		r := request(t, tc.name)
		r.AnyPath = strings.HasSuffix(tc.name, ":GET")
		r.Leads = request(t, tc.leads).Capability
		if got := said(setOf(t, tc.policy).Judge(r, ana)); got != tc.want {
			t.Errorf("%s\n%s, which leads to %s: got %q, want %q", tc.policy, tc.name, tc.leads, got, tc.want)
		}
	}
}

// TestAnyPath holds what is said of one request whose path may be any.
func TestAnyPath(t *testing.T) {
	const forbid = `forbid (principal, action in Ambit::Action::"net", resource is Ambit::Host) when { `
	for _, tc := range []struct{ condition, ask, want string }{
		{`resource has target && resource.target like "/secret*"`, "net.connect:a.example:80/http:GET", "forbidden"},
		{`resource has target && resource has method && resource.target == "/secret" && resource.method == "PUT"`, "net.connect:a.example:80/http:GET", "open"},
		{`resource has method && resource.method == "PUT"`, "net.connect:a.example:80/http:PUT", "forbidden"},
		{`resource has method && resource.method == "PUT"`, "net.connect:a.example:80/http:GET", "open"},
	} {
		r := request(t, tc.ask)
		set := setOf(t, forbid+tc.condition+" };")
		if got := said(set.Judge(r, ana)); got == "forbidden" && strings.Contains(tc.condition, "target") {
			t.Errorf("%s\n%s: a grant is %q", tc.condition, tc.ask, got)
		}
		r.AnyPath = true
		if got := said(set.Judge(r, ana)); got != tc.want {
			t.Errorf("%s\n%s: got %q, want %q", tc.condition, tc.ask, got, tc.want)
		}
	}
}

// TestEveryKind: each kind of capability is an action of the schema.
func TestEveryKind(t *testing.T) {
	for _, k := range capability.Kinds() {
		s := setOf(t, fmt.Sprintf("forbid (principal, action == Ambit::Action::%q, resource);", k))
		for _, scope := range []string{"", ":/a", ":a.example", ":8080", ":a", ":046d:c52b", ":a@b.example", ":a.service", ":a.example/TXT"} {
			c, err := capability.Parse(string(k) + scope)
			if err != nil || !c.Resolved() {
				continue
			}
			if v := s.Judge(wire.Request{Capability: c}, ana); !v.Forbidden {
				t.Errorf("%s is not forbidden", c)
			}
		}
	}
}

// TestLinks: a policy means what its paths lead to as well.
func TestLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err := errors.Join(err, os.Mkdir(dir+"/there", 0o700), os.Symlink("there", dir+"/link")); err != nil {
		t.Fatal(err)
	}
	s := setOf(t, fmt.Sprintf("forbid (principal, action, resource in Ambit::Path::%q);", dir+"/link/sub"))
	for ask, want := range map[string]string{"fs.read:" + dir + "/there": "open fs.read:" + dir + "/there/sub", "fs.read:" + dir + "/there/sub/x": "forbidden"} {
		if got := said(s.Judge(request(t, ask), ana)); got != want {
			t.Errorf("%s: got %q, want %q", ask, got, want)
		}
	}
}

// TestRefused: what could be meant otherwise is refused, with the place of it.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"forbid (principal, action, resource":                                                                        "p.cedar:1:36",
		"\nforbid (principal, action, resource) when { resource.pth == \"/a\" };":                                    "p.cedar:2:1: ",
		"forbid (principal, action == Ambit::Action::\"fs.raed\", resource);":                                        "p.cedar:1:1: ",
		"forbid (principal, action, resource in Ambit::Path::\"/home/*\");":                                          "is a pattern",
		"forbid (principal, action, resource in Ambit::Path::\"home\");":                                             "absolute",
		"forbid (principal, action, resource in Ambit::Glob::\"/home/**/x\");":                                       "* and ?",
		"forbid (principal, action, resource in Ambit::Domain::\"Evil.example\");":                                   "small letters",
		"@id(\"a\")\nforbid (principal, action, resource);\n@id(\"a\")\nforbid (principal, action, resource);":       "p.cedar:3:1: the id a is that of p.cedar:1 (a) too",
		"forbid (principal, action, resource) when { context.program == \"curl\" };":                                 "p.cedar:1:1: ",
		"forbid (principal, action in [Ambit::Action::\"fs.read\"], resource) when { resource.path like \"/\\q\" };": "p.cedar:1:",
	} {
		if _, err := parse([]file{{"p.cedar", []byte(text)}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// TestFolder: a folder that somebody else than root could have written is refused,
// and so is what changes the meaning of it.
func TestFolder(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root, to whom policies belong")
	}
	const text = "forbid (principal, action, resource);"
	for name, tc := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"as it should be":     {func(string) error { return nil }, ""},
		"not there":           {os.RemoveAll, "no such file"},
		"written by others":   {func(dir string) error { return os.Chmod(dir+"/p/a.cedar", 0o646) }, "others than root"},
		"folder of others":    {func(dir string) error { return os.Chmod(dir+"/p", 0o777) }, "others than root"},
		"above it is others'": {func(dir string) error { return os.Chmod(dir, 0o777) }, "others than root"},
		"of somebody else":    {func(dir string) error { return os.Chown(dir+"/p/a.cedar", 1000, 0) }, "user 1000"},
		"folder of another":   {func(dir string) error { return os.Chown(dir+"/p", 1000, 0) }, "user 1000"},
		"a link to it":        {func(dir string) error { return errors.Join(os.Rename(dir+"/p", dir+"/q"), os.Symlink("q", dir+"/p")) }, "symbolic link"},
		"a file that is a link": {func(dir string) error {
			return errors.Join(os.Rename(dir+"/p/a.cedar", dir+"/a"), os.Symlink("../a", dir+"/p/a.cedar"))
		}, "symbolic link"},
		"a folder that is a file": {func(dir string) error { return os.Mkdir(dir+"/p/b.cedar", 0o755) }, "not a file"},
	} {
		dir, err := os.MkdirTemp("/run", "ambit-policy-test-") //nolint:usetesting // above it only root may write
		if err != nil {
			t.Skipf("requires: a folder above which only root may write (%v)", err)
		}
		defer os.RemoveAll(dir)
		err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(dir+"/p", 0o755), os.WriteFile(dir+"/p/a.cedar", []byte(text), 0o644), tc.change(dir))
		if err != nil {
			t.Fatal(err)
		}
		files, _, err := Folder{Path: dir + "/p", Managed: true}.read()
		switch {
		case tc.want == "" && (err != nil || len(files) != 1 || string(files[0].text) != text):
			t.Errorf("%s: got %v, %v", name, files, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

// TestSwapped: files that are exchanged while they are read are read as they stood
// beside each other at one time, or not at all.
func TestSwapped(t *testing.T) {
	dir := t.TempDir()
	pair := func(i int) string { return fmt.Sprintf("// %d\nforbid (principal, action, resource);", i) }
	if err := errors.Join(os.Mkdir(dir+"/0", 0o755), os.WriteFile(dir+"/0/a.cedar", []byte(pair(0)), 0o644), os.WriteFile(dir+"/0/b.cedar", []byte(pair(0)), 0o644)); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 1; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			for _, name := range []string{"a", "b"} { // b follows a
				err := errors.Join(os.WriteFile(dir+"/new", []byte(pair(i)), 0o644), os.Rename(dir+"/new", dir+"/0/"+name+".cedar"))
				if err != nil {
					done <- err
					return
				}
			}
		}
	}()
	read := 0
	for range 300 {
		files, _, err := Folder{Path: dir + "/0"}.read()
		if err != nil {
			continue
		}
		read++
		var a, b int
		if len(files) != 2 {
			t.Fatalf("%d files", len(files))
		}
		if _, err := fmt.Sscanf(string(files[0].text)+" "+string(files[1].text), "// %d\nforbid (principal, action, resource); // %d", &a, &b); err != nil || a-b > 1 || b > a {
			t.Fatalf("read beside each other: %d and %d, %v", a, b, err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of 300 were read", read)
}

// BenchmarkJudge asks with as many policies as an organisation may have.
func BenchmarkJudge(b *testing.B) {
	var text strings.Builder
	for i := range 200 {
		fmt.Fprintf(&text, "forbid (principal, action in Ambit::Action::\"net\", resource in Ambit::Domain::\"d%d.example\");\n", i)
	}
	s, err := parse([]file{{"p.cedar", []byte(text.String())}})
	if err != nil {
		b.Fatal(err)
	}
	c, err := capability.Parse("net.connect:a.example:443")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if s.Judge(wire.Request{Capability: c}, ana).Forbidden {
			b.Fatal("forbidden")
		}
	}
}

// An organisation is seen by policies: what binds it binds nobody else.
func TestOrg(t *testing.T) {
	s := setOf(t, `forbid (principal in Ambit::Org::"acme", action in Ambit::Action::"fs", resource) unless { resource in Ambit::Path::"/srv/acme" };`)
	for org, want := range map[string]map[string]string{
		"acme":  {"fs.read:/srv/acme/x": "open", "fs.read:/srv/beta": "forbidden", "fs.read:/srv/acmeevil": "forbidden"},
		"beta":  {"fs.read:/srv/acme/x": "open", "fs.read:/srv/beta": "open"},
		"acme2": {"fs.read:/srv/beta": "open"},
		"":      {"fs.read:/srv/beta": "open"},
	} {
		for ask, want := range want {
			r := request(t, ask)
			r.Single, r.Context.Org = true, org
			if got := said(s.Judge(r, ana)); got != want {
				t.Errorf("%s for %q is %s, not %s", ask, org, got, want)
			}
		}
	}
}
