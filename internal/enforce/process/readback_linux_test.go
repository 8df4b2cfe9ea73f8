package process_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/process"
)

// procOf is a folder with the files that /proc/PID would have.
func procOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestViewHolds: mounts as the kernel lists them, against a plan. Each line is
// the mount point and the options.
func TestViewHolds(t *testing.T) {
	const root = "/ ro,nosuid,nodev,relatime"
	plan := []enforce.Entry{
		{Op: enforce.OpDir, Path: "/home"},
		{Op: enforce.OpLink, Path: "/bin", Source: "usr/bin"},
		{Op: enforce.OpFile, Path: "/etc/passwd"},
		{Op: enforce.OpBind, Path: "/usr", Exec: true},
		{Op: enforce.OpTmpfs, Path: "/tmp", Write: true},
		{Op: enforce.OpProc, Path: "/proc"},
		{Op: enforce.OpTmpfs, Path: "/dev"},
		{Op: enforce.OpDevpts, Path: "/dev/pts", Write: true},
		{Op: enforce.OpBind, Path: "/dev/null", Device: true},
		{Op: enforce.OpBind, Path: "/home/ada", Write: true},
		{Op: enforce.OpMask, Path: "/home/ada/.ssh", Dir: true},
		{Op: enforce.OpOverlay, Path: "/work", Write: true},
	}
	good := []string{
		root, "/usr ro,nosuid,nodev", "/tmp rw,nosuid,nodev,noexec", "/proc ro,nosuid,nodev,noexec", "/dev ro,nosuid,nodev,noexec",
		"/dev/pts rw,nosuid,noexec", "/dev/null ro,nosuid,noexec", "/home/ada rw,nosuid,nodev,noexec", "/home/ada/.ssh ro,nosuid,nodev,noexec", "/work rw,nosuid,nodev,noexec - overlay",
	}
	replace := func(from, to string) func([]string) []string {
		return func(lines []string) []string {
			text := strings.Join(lines, "\n")
			if !strings.Contains(text, from) {
				panic(from)
			}
			return strings.Split(strings.ReplaceAll(text, from, to), "\n")
		}
	}
	without := func(path string) func([]string) []string {
		return func(lines []string) (left []string) {
			for _, l := range lines {
				if !strings.HasPrefix(l, path+" ") {
					left = append(left, l)
				}
			}
			return left
		}
	}
	also := func(line ...string) func([]string) []string {
		return func(lines []string) []string { return append(lines, line...) }
	}
	for _, tc := range []struct {
		name   string
		change func([]string) []string
		want   string // "" if the view holds
	}{
		{"as planned", also(), ""},
		{"less than planned", replace("/tmp rw", "/tmp ro"), ""},
		{"a mount below a grant", also("/home/ada/disk rw,nosuid,nodev,noexec"), ""},
		{"a mount deep below a grant", also("/home/ada/a/b/c ro,nosuid,nodev,noexec"), ""},
		{"covered by what is planned", also("/usr rw", "/usr ro,nosuid,nodev"), ""},

		{"the root is missing", without("/"), `nothing is mounted at "/"`},
		{"the root can be written", replace("/ ro", "/ rw"), `"/" is not ro`},
		{"a grant is missing", without("/usr"), `nothing is mounted at "/usr"`},
		{"a mask is missing", without("/home/ada/.ssh"), `nothing is mounted at "/home/ada/.ssh"`},
		{"a mask that can be written", replace(".ssh ro", ".ssh rw"), `.ssh" is not ro`},
		{"proc can be written", replace("/proc ro", "/proc rw"), `"/proc" is not ro`},
		{"a grant that can be written", replace("/usr ro", "/usr rw"), `"/usr" is not ro`},
		{"ro only as a part of a word", replace("/usr ro,", "/usr errors=remount-ro,rom,"), `"/usr" is not ro`},
		{"set-user-ID works", replace("/usr ro,nosuid", "/usr ro"), `"/usr" is not nosuid`},
		{"devices work", replace("/home/ada rw,nosuid,nodev", "/home/ada rw,nosuid"), `"/home/ada" is not nodev`},
		{"programs can be executed", replace("/tmp rw,nosuid,nodev,noexec", "/tmp rw,nosuid,nodev"), `"/tmp" is not noexec`},
		{"covered by something else", also("/usr rw,nosuid,nodev"), `"/usr" is not ro`},
		{"a mount too many", also("/mnt ro,nosuid,nodev,noexec"), `something is mounted at "/mnt"`},
		{"a mount where a directory was planned", also("/home ro,nosuid,nodev,noexec"), `something is mounted at "/home"`},
		{"a mount on a private directory", also("/tmp/x ro,nosuid,nodev,noexec"), `something is mounted at "/tmp/x"`},
		{"a mount in a mask", also("/home/ada/.ssh/x ro,nosuid,nodev,noexec"), `something is mounted at "/home/ada/.ssh/x"`},
		{"a mount beside a grant of a similar name", also("/home/adam ro,nosuid,nodev,noexec"), `something is mounted at "/home/adam"`},
		{"a mount below a grant has more rights", also("/usr/share rw,nosuid,nodev"), `"/usr/share" is not ro`},
		{"a mount deep below a grant has more rights", also("/home/ada/a/b rw,nosuid,nodev"), `"/home/ada/a/b" is not noexec`},
		{"an overlay that is none", replace(" - overlay", " - ext4"), `changes at "/work" would reach the host`},
		{"an overlay whose devices work", replace("/work rw,nosuid,nodev", "/work rw,nosuid"), `"/work" is not nodev`},
		{"a mount in an overlay", also("/work/in rw,nosuid,nodev,noexec"), `something is mounted at "/work/in"`},
		{"no mounts", func([]string) []string { return nil }, "nothing is mounted"},
		{"a line cut short", func([]string) []string { return []string{""} }, "mountinfo has the line"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var text strings.Builder
			for _, l := range tc.change(append([]string(nil), good...)) {
				if l == "" {
					text.WriteString("36 35 0:1 /\n")
					continue
				}
				text.WriteString("36 35 98:0 /mnt1 " + l + " master:1 - ext3 /dev/root rw,errors=continue\n")
			}
			holds(t, process.ViewHolds(procOf(t, map[string]string{"mountinfo": text.String()}), plan), tc.want)
		})
	}
	if err := process.ViewHolds(t.TempDir(), plan); err == nil {
		t.Error("without a list of mounts the view holds")
	}
}

// holds compares an answer with what its error has to say, "" for no error.
func holds(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestViewHoldsNames: names as the kernel writes them. Of white space it
// escapes the blank, the tab and the newline alone.
func TestViewHoldsNames(t *testing.T) {
	for path, written := range map[string]string{
		"/a b": `/a\040b`, "/a\tb": `/a\011b`, "/a\nb": `/a\012b`, `/a\b`: `/a\134b`, "/資料\u30002024": "/資料\u30002024",
		"/a\u00a0b": "/a\u00a0b", "/a\rb": "/a\rb", "/a\v\f": "/a\v\f", "/\xff": "/\xff", "/" + strings.Repeat("x", 70_000): "/" + strings.Repeat("x", 70_000),
	} {
		text := "1 1 0:1 / / ro,nosuid,nodev - tmpfs none rw\n2 1 0:2 / " + written + " ro,nosuid,nodev,noexec - ext4 /dev/x rw\n"
		bind := []enforce.Entry{{Op: enforce.OpBind, Path: path}}
		holds(t, process.ViewHolds(procOf(t, map[string]string{"mountinfo": text}), bind), "")
		// What stands behind it is seen, too.
		text += "3 1 0:3 / /more rw - ext4 /dev/y rw\n"
		holds(t, process.ViewHolds(procOf(t, map[string]string{"mountinfo": text}), bind), `something is mounted at "/more"`)
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "/a": "/a", `\040`: " ", `a\040\011b`: "a \tb", `\134040`: `\040`, `\377`: "\xff",
		`\`: `\`, `\04`: `\04`, `\0`: `\0`, `\999`: `\999`, `\777`: `\777`, `\+40`: `\+40`, `\0 0`: `\0 0`, `x\`: `x\`,
	} {
		if got := process.Unescape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add("/a b\n\t\\x")
	f.Fuzz(func(t *testing.T, path string) {
		escaped := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace(path)
		if got := process.Unescape(escaped); got != path {
			t.Errorf("%q: got %q, want %q", escaped, got, path)
		}
		if got := process.Unescape(path); len(got) > len(path) {
			t.Errorf("%q became longer: %q", path, got)
		}
	})
}

// TestOnlyLoopback: another interface is one too many when it has an address
// or a route.
func TestOnlyLoopback(t *testing.T) {
	const heading = "Inter-|   Receive\n face |bytes    packets\n"
	files := func(dev, inet6, route string) map[string]string {
		return map[string]string{"net/dev": heading + dev, "net/if_inet6": inet6, "net/route": route}
	}
	for _, tc := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"loopback", files("    lo: 1 2\n", "00000000000000000000000000000001 01 80 10 80       lo\n", ""), ""},
		{"a tunnel that is down", files("    lo: 1 2\n  sit0: 0 0\n", "0001 01 80 10 80 lo\n", "Iface\tDestination\n"), ""},
		{"an address", files("lo: 1\n  eth0: 0 0\n", "fe80 02 40 20 80     eth0\n", ""), "interface eth0"},
		{"a route", files("lo: 1\n  eth0: 0 0\n", "", "Iface\tDestination\neth0\t00000000\t0102A8C0\n"), "interface eth0"},
		{"behind one that is down", files("sit0: 0\n  eth0: 0 0\n", "", "eth0\t00000000\n"), "interface eth0"},
		{"no list of routes", map[string]string{"net/dev": heading + "eth0: 0\n", "net/if_inet6": ""}, "interface eth0"},
		{"no list", nil, "net/dev"},
	} {
		t.Run(tc.name, func(t *testing.T) { holds(t, process.OnlyLoopback(procOf(t, tc.files)), tc.want) })
	}
}

func TestOnlyStandard(t *testing.T) {
	holds(t, process.OnlyStandard(procOf(t, map[string]string{"fd/0": "", "fd/1": "", "fd/2": "", "fd/3": ""})), "")
	holds(t, process.OnlyStandard(procOf(t, map[string]string{"fd/0": "", "fd/4": ""})), "descriptor 4 is open")
	holds(t, process.OnlyStandard(procOf(t, map[string]string{"fd/17": ""})), "descriptor 17 is open")
	holds(t, process.OnlyStandard(t.TempDir()), "no such file") // what cannot be asked does not hold
}

// TestOtherNamespaces: a namespace is another one where it has another name, and only
// where both can be told.
func TestOtherNamespaces(t *testing.T) {
	dir, names := t.TempDir(), []string{"user", "mount", "pid", "net", "ipc", "uts", "cgroup"}
	own := process.OwnNamespaces()
	for _, name := range names {
		if !strings.Contains(own[name], ":[") {
			t.Errorf("the %s namespace of this process is %q", name, own[name])
		}
	}
	check := func(dir string, outside map[string]string, want string) {
		t.Helper()
		why, err := process.OtherNamespaces(dir, names, outside)
		if err != nil || len(why) != len(names) {
			t.Fatalf("got %q, %v", why, err)
		}
		for i, got := range why {
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s namespace: got %q, want %q", names[i], got, want)
			}
		}
	}
	check("/proc/self", own, "it is in the host's")
	check("/proc/self", nil, "cannot be looked at")
	if err := os.Mkdir(filepath.Join(dir, "ns"), 0o755); err != nil {
		t.Fatal(err)
	}
	check(dir, own, "look at its")
	for _, file := range []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"} {
		if err := os.Symlink(file+":[1]", filepath.Join(dir, "ns", file)); err != nil {
			t.Fatal(err)
		}
	}
	check(dir, own, "")
}

// TestStatus: each set of capabilities has to be empty, and what is not said
// does not hold.
func TestStatus(t *testing.T) {
	good := map[string]string{"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
		"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "Seccomp": "2"}
	text := func(change string, to string) string {
		var b strings.Builder
		b.WriteString("Name:\tCapEff: 0\n")
		for name, value := range good {
			if name == change {
				value = to
			}
			if value != "" {
				b.WriteString(name + ":\t" + value + "\n")
			}
		}
		return b.String()
	}
	for _, tc := range []struct{ change, to, capabilities, filter string }{
		{"", "", "", ""},
		{"CapInh", "0000000000000001", "CapInh", ""},
		{"CapPrm", "0000000000000001", "CapPrm", ""},
		{"CapEff", "000001ffffffffff", "CapEff", ""},
		{"CapBnd", "0000000000000400", "CapBnd", ""},
		{"CapAmb", "", "CapAmb", ""},
		{"Seccomp", "0", "", `Seccomp is "0", want "2"`},
		{"Seccomp", "", "", "Seccomp"},
	} {
		capabilities, filter := process.StatusHolds(procOf(t, map[string]string{"status": text(tc.change, tc.to)}))
		holds(t, capabilities, tc.capabilities)
		holds(t, filter, tc.filter)
	}
	if capabilities, filter := process.StatusHolds(t.TempDir()); capabilities == nil || filter == nil {
		t.Error("what cannot be read holds")
	}
}

// TestAsks: who asks is who hears of first touches, and nobody is taken at their
// word.
func TestAsks(t *testing.T) {
	const tail = " ro,nosuid - "
	trapped := enforce.Plan{View: []enforce.Entry{{Op: enforce.OpTrap, Path: "/"}}}
	for _, tc := range []struct {
		plan            enforce.Plan
		hears           bool
		root, way, want string
	}{
		{trapped, true, "fuse none rw", "by a trap", ""},
		{trapped, true, "tmpfs none rw", "", "no trap"},
		{trapped, false, "fuse none rw", "", "nobody listens"},
		{enforce.Plan{}, true, "tmpfs none rw", "by notification", ""},
		{enforce.Plan{}, false, "tmpfs none rw", "", "nobody listens"},
	} {
		way, err := process.Asks(procOf(t, map[string]string{"mountinfo": "2 1 0:5 / /usr" + tail + "ext4 none rw\n1 0 0:4 / /" + tail + tc.root + "\n"}), tc.plan, tc.hears)
		holds(t, err, tc.want)
		if err == nil && !strings.HasPrefix(way, tc.way) {
			t.Errorf("asks %s, want %s", way, tc.way)
		}
	}
	if _, err := process.Asks(t.TempDir(), trapped, true); err == nil {
		t.Error("what cannot be read holds")
	}
}
