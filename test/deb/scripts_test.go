package deb_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The profile is for the program that is installed, and permits user namespaces.
func TestProfile(t *testing.T) {
	needDpkg(t)
	file := filepath.Join(root, "etc/apparmor.d/ambit")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nabi <abi/4.0>,\n", "\nprofile ambit /usr/libexec/ambit/ambit flags=(unconfined) {\n", "\n  userns,\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no line %q", strings.TrimSpace(want))
		}
	}
	if _, err := os.Stat(filepath.Join(root, "usr/libexec/ambit/ambit")); err != nil {
		t.Error(err)
	}
	parse(t, string(text))
}

// parse has AppArmor's own parser read a profile, where it is there. One before
// version 4 knows nothing of what it is about.
func parse(t *testing.T, profile string) {
	t.Helper()
	parser := ""
	for _, name := range []string{"apparmor_parser", "/sbin/apparmor_parser", "/usr/sbin/apparmor_parser"} {
		if path, err := exec.LookPath(name); err == nil && parser == "" {
			parser = path
		}
	}
	if parser == "" {
		t.Log("no apparmor_parser here: its lines alone were looked at")
		return
	}
	base := "/etc/apparmor.d"
	if own := os.Getenv("AMBIT_TEST_APPARMOR"); own != "" {
		base = own // of a parser that is not installed
	}
	if _, err := os.Stat(filepath.Join(base, "abi/4.0")); err != nil {
		t.Log("an AppArmor before version 4: without the right, and what says that it is there")
		profile = strings.NewReplacer("abi <abi/4.0>,\n", "", "  userns,\n", "").Replace(profile)
	}
	file := filepath.Join(t.TempDir(), "ambit")
	if err := os.WriteFile(file, []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(parser, "--skip-kernel-load", "--skip-cache", "--base", base, file).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", parser, err, out)
	}
}

// Installing loads the profile where AppArmor is active and can read it, keeps an older
// one from trying, and removing undoes it. Nothing is started.
func TestScripts(t *testing.T) {
	needDpkg(t)
	scripts := t.TempDir()
	output(t, exec.Command("dpkg-deb", "-e", made, scripts))
	for _, c := range []struct {
		name, abi string
		active    bool
		loaded    string // what is asked of the parser
		off       bool   // the profile is kept from being read
	}{
		{"AppArmor 4, active", "4.0", true, "-r -T -W", false},
		{"AppArmor 4, not active", "4.0", false, "", false},
		{"AppArmor 3, active", "3.0", true, "", true},
		{"no AppArmor", "", false, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newFakeHost(t, scripts, c.abi, c.active)
			h.run(t, "postinst", "configure")
			profile := filepath.Join(h.root, "etc/apparmor.d/ambit")
			want := ""
			if c.loaded != "" {
				want = c.loaded + " " + profile + "\n"
			}
			if got := h.said(t); got != want {
				t.Errorf("installed: the parser was asked %q, want %q", got, want)
			}
			link := filepath.Join(h.root, "etc/apparmor.d/disable/ambit")
			if _, err := os.Lstat(link); (err == nil) != c.off {
				t.Errorf("kept from being read: %v, want %v", err == nil, c.off)
			}
			h.upgrade(t, c.off, link)
			h.run(t, "prerm", "remove")
			h.run(t, "postrm", "remove")
			h.run(t, "postrm", "purge")
			if _, err := os.Lstat(link); err == nil {
				t.Error("a link was left")
			}
			if got := h.said(t); c.active && !strings.HasSuffix(got, "-R "+profile+"\n") {
				t.Errorf("removed: the parser was asked %q", got)
			}
		})
	}
}

// A fakeHost is a root of files, and programs that say what they were asked.
type fakeHost struct{ root, scripts, bin, log string }

func newFakeHost(t *testing.T, scripts, abi string, active bool) *fakeHost {
	t.Helper()
	dir := t.TempDir()
	h := &fakeHost{root: filepath.Join(dir, "root"), scripts: scripts, bin: filepath.Join(dir, "bin"), log: filepath.Join(dir, "log")}
	status := "1"
	if active {
		status = "0"
	}
	files := map[string]string{
		filepath.Join(h.root, "etc/apparmor.d/ambit"):   "profile",
		filepath.Join(h.bin, "aa-enabled"):              "#!/bin/sh\nexit " + status + "\n",
		filepath.Join(h.bin, "apparmor_parser"):         "#!/bin/sh\necho \"$@\" >>" + h.log + "\n",
		filepath.Join(h.bin, "systemctl"):               "#!/bin/sh\necho systemctl \"$@\" >>" + h.log + "\n",
		filepath.Join(h.root, "etc/apparmor.d/abi/3.0"): "",
	}
	if abi == "" {
		delete(files, filepath.Join(h.root, "etc/apparmor.d/abi/3.0"))
	} else {
		files[filepath.Join(h.root, "etc/apparmor.d/abi", abi)] = ""
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func (h *fakeHost) run(t *testing.T, script string, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(h.scripts, script), args...)
	cmd.Env = []string{"PATH=" + h.bin + ":" + os.Getenv("PATH"), "DPKG_ROOT=" + h.root}
	output(t, cmd)
}

// upgrade installs it once more, with an AppArmor that can read it by now.
func (h *fakeHost) upgrade(t *testing.T, off bool, link string) {
	t.Helper()
	if !off {
		return
	}
	if err := os.WriteFile(filepath.Join(h.root, "etc/apparmor.d/abi/4.0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h.run(t, "postinst", "configure")
	if _, err := os.Lstat(link); err == nil {
		t.Error("the profile is still kept from being read")
	}
	if got := h.said(t); !strings.HasPrefix(got, "-r -T -W ") {
		t.Errorf("the parser was asked %q", got)
	}
}

func (h *fakeHost) said(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(h.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
