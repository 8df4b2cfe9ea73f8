package enforce_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// laterCases are grants that come while a program runs on host: what was there
// before, what is granted now, and the objects that it reaches.
var laterCases = []struct {
	name    string
	grant   string
	objects []enforce.Object
	change  func(t *testing.T, in *enforce.Input)
}{
	{"file-read", "fs.read:~/notes.txt", []enforce.Object{file("/home/u/notes.txt")}, nil},
	{"directory-write", "fs.write:~/proj", []enforce.Object{dir("/home/u/proj")}, nil},
	{"program", "process.spawn:~/bin/tool", []enforce.Object{file("/home/u/bin/tool"), file("/usr/lib64/ld-linux-x86-64.so.2")}, nil},
	{"any-program", "process.spawn", nil, nil},
	{"one-match-of-a-glob", "fs.read:~/Documents/*.pdf", []enforce.Object{file("/home/u/Documents/a.pdf")}, nil},
	{"masks-inside", "fs.write:/work", []enforce.Object{dir("/work")}, func(t *testing.T, in *enforce.Input) {
		in.Masked = caps(t, "fs.read:/work/a/b/.env", "fs.write:/work/.git", "fs.read:/elsewhere", "fs.read:/work/*.key")
		in.Objects["fs.read:/work/a/b/.env"] = []enforce.Object{file("/work/a/b/.env")}
		in.Objects["fs.write:/work/.git"] = []enforce.Object{dir("/work/.git")}
		in.Objects["fs.read:/elsewhere"] = []enforce.Object{dir("/elsewhere")}
		in.Objects["fs.read:/work/*.key"] = []enforce.Object{file("/work/x.key")}
	}},
	{"state-inside", "fs.read:~/.local", []enforce.Object{dir("/home/u/.local")}, func(t *testing.T, in *enforce.Input) {
		in.Masked = caps(t, "fs.read:~/.local/state/ambit")
		in.Objects["fs.read:/home/u/.local/state/ambit"] = []enforce.Object{dir("/home/u/.local/state/ambit")}
	}},
	{"sockets-inside", "fs.read:/run/user", []enforce.Object{dir("/run/user")}, func(_ *testing.T, in *enforce.Input) {
		in.Base.Sockets = []enforce.Object{file("/run/user/agent"), file("/run/docker.sock")}
	}},
	{"a-socket-by-name", "fs.read:/run/user/agent", []enforce.Object{file("/run/user/agent")}, func(_ *testing.T, in *enforce.Input) {
		in.Base.Sockets = []enforce.Object{file("/run/user/agent")}
	}},
	// What the view has already takes no harm from what is mounted on top.
	{"read-of-what-is-written", "fs.read:/work/sub", []enforce.Object{dir("/work/sub")}, func(t *testing.T, in *enforce.Input) {
		in.Effective = caps(t, "fs.write:/work")
		in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
	}},
	{"run-of-what-is-written", "process.spawn:/work/tool", []enforce.Object{file("/work/tool")}, func(t *testing.T, in *enforce.Input) {
		in.Effective = caps(t, "fs.write:/work")
		in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
	}},
	{"write-in-the-system", "fs.write:/usr/local/lib", []enforce.Object{dir("/usr/local/lib")}, nil},
	// A pack that may not execute anything may not execute what it wrote there.
	{"write-in-the-system-by-a-pack", "fs.write:/usr/local/lib", []enforce.Object{dir("/usr/local/lib")}, func(_ *testing.T, in *enforce.Input) { in.AdHoc = false }},
}

func TestLaterGolden(t *testing.T) {
	for _, tc := range laterCases {
		t.Run(tc.name, func(t *testing.T) {
			in := host()
			if tc.change != nil {
				tc.change(t, &in)
			}
			got, err := enforce.Later(in, caps(t, tc.grant)[0], tc.objects)
			if err != nil {
				t.Fatal(err)
			}
			var text bytes.Buffer
			enc := json.NewEncoder(&text)
			enc.SetIndent("", "  ")
			if err := enc.Encode(got); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "later", tc.name+".json")
			if *update {
				if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, text.Bytes()) {
				t.Errorf("%v; entries differ from %s (go test -update, then read the difference):\n%s", err, golden, text.Bytes())
			}
			for i, e := range got {
				for _, later := range got[i+1:] {
					if strings.HasPrefix(e.Path, later.Path+"/") {
						t.Errorf("%s stands before %s", e.Path, later.Path)
					}
				}
			}
		})
	}
}

// What comes later is what a launch with the same grant has.
func TestLaterAgreesWithCompile(t *testing.T) {
	for _, tc := range laterCases {
		in := host()
		if tc.change != nil {
			tc.change(t, &in)
		}
		c := caps(t, tc.grant)[0]
		late, err := enforce.Later(in, c, tc.objects)
		if err != nil {
			t.Fatal(err)
		}
		in.Effective = append(in.Effective, c)
		in.Objects[c.String()] = tc.objects
		p, err := enforce.Compile(in, facts())
		if err != nil {
			t.Fatal(err)
		}
		has := func(e enforce.Entry) bool {
			for _, v := range p.View {
				// A launch leaves out what a wider mount shows; later it may be on top of it.
				if v.Path == e.Path && v.Op == e.Op && v.Write == e.Write && v.Exec == e.Exec || e.Op == enforce.OpBind && v.Op == enforce.OpBind &&
					strings.HasPrefix(e.Path, v.Path+"/") && (v.Write || !e.Write) {
					return true
				}
			}
			return false
		}
		for _, e := range late {
			if !has(e) {
				t.Errorf("%s: %s %s (write %v) comes later and is not in the plan of a launch", tc.name, e.Op, e.Path, e.Write)
			}
		}
	}
}

func TestLaterRefusals(t *testing.T) {
	for _, tc := range []struct {
		name, grant, want string
		objects           []enforce.Object
		change            func(in *enforce.Input)
	}{
		{"the host's proc", "fs.read:/proc/1", "is the sandbox's own", []enforce.Object{dir("/proc/1")}, nil},
		{"a program of the host's proc", "process.spawn:/proc/1/exe", "is the sandbox's own", []enforce.Object{file("/proc/1/exe")}, nil},
		{"a device", "fs.write:/dev/sda", "is the sandbox's own", []enforce.Object{file("/dev/sda")}, nil},
		{"append", "fs.append:/work/log", "from the start of a program", []enforce.Object{file("/work/log")}, nil},
		{"network", "net.connect:example.com", "net.connect", nil, nil},
		{"absent and denied", "fs.write:/work", "does not exist yet", []enforce.Object{dir("/work")}, func(in *enforce.Input) {
			in.Masked = caps(t, "fs.write:/work/.git")
		}},
		{"denied names that may come", "fs.write:/work", "could be made later", []enforce.Object{dir("/work")}, func(in *enforce.Input) {
			in.Masked = caps(t, "fs.write:/work/**/*.sh")
		}},
		{"two names", "fs.read:/work", "2 names", []enforce.Object{dir("/work")}, func(in *enforce.Input) {
			in.Masked = caps(t, "fs.read:/work/.env")
			o := file("/work/.env")
			o.Names = 2
			in.Objects["fs.read:/work/.env"] = []enforce.Object{o}
		}},
		{"a link that was writable before", "fs.read:/data", "symbolic link that the program could replace", []enforce.Object{dir("/data")}, func(in *enforce.Input) {
			in.Effective = caps(t, "fs.write:/work")
			in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
			in.Masked = caps(t, "fs.read:/work/secret")
			o := file("/data/secret")
			o.Links = []enforce.Link{{Path: "/work/secret", Target: "/data/secret"}}
			in.Objects["fs.read:/work/secret"] = []enforce.Object{o}
		}},
		{"written, where it may only grow", "fs.write:/srv", "is append-only, and could be changed", []enforce.Object{dir("/srv")}, func(in *enforce.Input) {
			in.Volumes = []enforce.Volume{{Source: dir("/srv/a"), Target: "/store", Append: true}}
		}},
		{"a part of it written", "fs.write:/srv/a/b", "is append-only, and could be changed", []enforce.Object{dir("/srv/a/b")}, func(in *enforce.Input) {
			in.Volumes = []enforce.Volume{{Source: dir("/srv/a"), Target: "/store", Append: true}}
		}},
		{"in what may only grow", "fs.read:/store/b", "would lie in /store", []enforce.Object{dir("/store/b")}, func(in *enforce.Input) {
			in.Volumes = []enforce.Volume{{Source: dir("/srv/a"), Target: "/store", Append: true}}
		}},
		{"in what is changed elsewhere", "fs.write:/srv/b", "would lie in /srv", []enforce.Object{dir("/srv/b")}, func(in *enforce.Input) {
			in.Volumes = []enforce.Volume{{Source: dir("/srv"), Target: "/srv", Changes: "/state/s"}}
		}},
		{"denied from above", "fs.read:/work/a", "is denied", []enforce.Object{dir("/work/a")}, func(in *enforce.Input) {
			in.Masked = caps(t, "fs.read:/work")
			in.Objects["fs.read:/work"] = []enforce.Object{dir("/work")}
		}},
	} {
		in := host()
		if tc.change != nil {
			tc.change(&in)
		}
		got, err := enforce.Later(in, caps(t, tc.grant)[0], tc.objects)
		if err == nil || !strings.Contains(err.Error(), tc.want) || got != nil {
			t.Errorf("%s: got %+v, %v, want %q", tc.name, got, err, tc.want)
		}
	}
}

// What is denied elsewhere stands in nobody's way.
func TestLaterDeniedElsewhere(t *testing.T) {
	in := host()
	in.Effective = caps(t, "fs.write:/work")
	in.Objects["fs.write:/work"] = []enforce.Object{dir("/work")}
	in.Masked = caps(t, "fs.write:/work/gone", "fs.write:/other/*.sh") // gone since the launch; a glob of another place
	if got, err := enforce.Later(in, caps(t, "fs.read:/data")[0], []enforce.Object{dir("/data")}); err != nil || len(got) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Every kind that a plan cannot have, a running view cannot either.
func TestLaterEveryKind(t *testing.T) {
	for _, k := range capability.Kinds() {
		c, err := capability.Parse(string(k))
		if err != nil || k == capability.ProcessSpawn {
			continue
		}
		var cannot *enforce.CannotEnforce
		if got, err := enforce.Later(host(), c, nil); !errors.As(err, &cannot) {
			t.Errorf("%s: got %+v, %v", k, got, err)
		}
	}
}
