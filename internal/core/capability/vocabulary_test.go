package capability_test

import (
	"encoding/json"
	"net/netip"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
)

// TestVocabulary holds the kinds with their words, and whether an example of
// each is broad.
func TestVocabulary(t *testing.T) {
	want := []struct {
		text, describe string
		broad          bool
	}{
		{"fs.read:~/Documents/*.pdf", "read ~/Documents/*.pdf", false},
		{"fs.write:/home/u", "read and change /home/u", true},
		{"fs.append:./log", "create and append to log", false},
		{"net.connect:*", "connect to any public address", true},
		{"net.listen:8080/9090", "accept connections on port 8080/9090", false},
		{"net.stream:a.com", "keep an open stream to a.com", false},
		{"dns.lookup:*/*", "look up */*", true},
		{"process.spawn", "run other programs", false},
		{"process.kill", "signal processes outside its own tree", false},
		{"audio.play", "play sound", false},
		{"audio.record", "record sound", false},
		{"gpu.compute", "compute on the graphics processor", false},
		{"gpu.display", "draw with the graphics processor", false},
		{"usb.device:046d:c52b", "use the USB device 046d:c52b", false},
		{"wayland.surface", "show windows", false},
		{"wayland.input", "receive keyboard and pointer input", false},
		{"a11y.tree", "read and drive other windows through the accessibility tree", true},
		{"clipboard.read", "read the clipboard", false},
		{"clipboard.write", "write the clipboard", false},
		{"systemd.unit:nginx.service", "control the system service nginx.service", false},
		{"kernel.module:wireguard", "load the kernel module wireguard", true},
		{"agent.spawn", "start agents", false},
		{"agent.kill", "stop agents", false},
		{"fleet.control", "control the fleet", true},
		{"secret.read:token", "read the secret token", false},
		{"secret.use:token@*.com", "use the secret token@*.com, without seeing it", true},
		{"inference.use:anthropic", "use the language model anthropic", false},
		{"db.query:*", "query the database *", true},
		{"storage.read:a", "read the stored value a", false},
		{"storage.write:a", "write the stored value a", false},
		{"media.fetch:a.com", "fetch media from a.com", false},
		{"ui.tab.open", "open a tab", false},
		{"browser.visit:a.com", "visit a.com", false},
		{"notebook.run", "run code in a notebook", false},
		{"tool.call:github/list_issues", "call the tool github/list_issues", false},
		{"host.execute", "run on the host with no sandbox at all", true},
	}
	for text, want := range map[string]string{
		"net.connect:a.com:443/http":              "connect to a.com:443 for requests",
		"net.connect:a.com/http:GET,PUT:/a/**,/b": "connect to a.com for GET and PUT requests of /a/** and /b",
		"net.stream:a.com/http:/live":             "keep an open stream to a.com for requests of /live",
	} {
		if got := must(t, text).Describe(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	kinds := capability.Kinds()
	if len(kinds) != len(want) {
		t.Fatalf("%d kinds, want %d", len(kinds), len(want))
	}
	for i, k := range kinds {
		c := must(t, want[i].text)
		if c.Kind() != k || k.Meaning() == "" || c.Describe() != want[i].describe || c.Broad() != want[i].broad {
			t.Errorf("%s (%s): %q, broad %v", c, k.Meaning(), c.Describe(), c.Broad())
		}
	}
	if got := capability.Kind("nonsense").Meaning(); got != "" {
		t.Errorf("nonsense means %q", got)
	}
}

// TestForeign gives every spelling of the other systems.
func TestForeign(t *testing.T) {
	for text, want := range map[string]string{
		`FsRead("/home/me/Projects/**")`: "fs.read:/home/me/Projects",
		`FsWrite("/a")`:                  "fs.write:/a",
		"NetworkOutbound":                "net.connect:*",
		"NetworkInbound(8080)":           "net.listen:8080",
		"NetworkStream":                  "net.stream:*",
		"AudioOutput":                    "audio.play",
		"AudioInput":                     "audio.record",
		"GpuCompute":                     "gpu.compute",
		"GpuDisplay":                     "gpu.display",
		`UsbDevice("046D:C52B")`:         "usb.device:046d:c52b",
		"ProcessSpawn":                   "process.spawn",
		"ProcessKill":                    "process.kill",
		`SystemdUnit("nginx.service")`:   "systemd.unit:nginx.service",
		`KernelModule("snd-hda")`:        "kernel.module:snd_hda",
		"WaylandSurface":                 "wayland.surface",
		"WaylandInput":                   "wayland.input",
		"AccessibilityTree":              "a11y.tree",
		"AgentSpawn":                     "agent.spawn",
		"AgentKill":                      "agent.kill",
		"FleetControl":                   "fleet.control",
		`SecretsRead("github-token")`:    "secret.read:github-token",
		"Capability::AudioOutput":        "audio.play",
		`Capability::FsRead("/\"\\\\\'\n\r\t\x41\u{1F600}")`: "fs.read:/\"\\\\'\n\r\tA😀",

		"net.access":                "net.connect:*",
		"ui.tabs.open":              "ui.tab.open",
		"fs.read.*":                 "fs.read:~",
		"fs.write.**":               "fs.write:~",
		"fs.read.~/Documents/*.pdf": "fs.read:~/Documents/*.pdf",
		"fs.write./srv/data":        "fs.write:/srv/data",
		"db.query.*":                "db.query:*",
		"db.query.main/users":       "db.query:main/users",
		"require_host_execution":    "host.execute",
	} {
		if c, err := capability.Parse(text); c.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, c, err, want)
		}
	}
}

func TestBroad(t *testing.T) {
	for text, want := range map[string]bool{
		"fs.read:~": true, "fs.read:~/*": true, "fs.read:~/.*": true, "fs.read:~/**/*": true, "fs.read:~/a": false, "fs.read:~/**/*.pdf": false,
		"fs.read:/home": true, "fs.read:/home/u": true, "fs.read:/home/*": true, "fs.read:/home/*/a": true, "fs.read:/home/u/*": true,
		"fs.read:/home/u/a": false, "fs.read:/Users/u": true, "fs.read:/var/home/u": true, "fs.read:/var/home": true, "fs.read:/var/log": false, "fs.read:/etc": true,
		"fs.read:/etc/*": true, "fs.read:/etc/hosts": false, "fs.read:/**/.env": true, "fs.read:.": false, "fs.read:a/*": false,
		"net.connect:*:443": true, "net.connect:*.com": true, "net.connect:*.a.com": false, "net.connect:a.com:*": false,
		"net.connect:10.0.0.0/8": true, "net.connect:10.0.0.0/16": false, "net.connect:[2606::/32]": true, "net.connect:[2606::/64]": false,
		"dns.lookup:a.com/*": false, "agent.spawn:a": false,
	} {
		if got := must(t, text).Broad(); got != want {
			t.Errorf("%s is broad: got %v, want %v", text, got, want)
		}
	}
}

func TestZero(t *testing.T) {
	var c capability.Capability
	if !c.IsZero() || c.String() != "" || c.Broad() || c.Describe() != "nothing" || c.Covers(c) || c.Kind() != "" {
		t.Errorf("the zero capability: %q, %q", c, c.Describe())
	}
}

func TestText(t *testing.T) {
	for _, text := range []string{"", "fs.read:/a/\xff\n\u202e*", "host.execute"} {
		var c, back capability.Capability
		if text != "" {
			c = must(t, text)
		}
		data, err := json.Marshal(map[string]capability.Capability{"c": c})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]capability.Capability{"c": must(t, "process.kill")}
		if err := json.Unmarshal(data, &got); err != nil || got["c"] != c {
			t.Errorf("%q became %s, then %q, %v", c, data, back, err)
		}
	}
	c := must(t, "host.execute")
	if err := c.UnmarshalText([]byte("nonsense")); err == nil || !c.IsZero() {
		t.Errorf("nonsense was read as %q", c)
	}
}

func TestDisplay(t *testing.T) {
	for path, want := range map[string]string{
		"/a é\U0001F600":          "/a é\U0001F600",
		"/\x1b[2J\x07\x7f\n":      `/\x1b\[2J\x07\x7f\x0a`,
		"/\u202eexe.\u2028\u00a0": `/\xe2\x80\xaeexe.\xe2\x80\xa8\xc2\xa0`,
		"/\xff\uFFFD\xc3":         `/\xff` + "\uFFFD" + `\xc3`,
	} {
		c, err := capability.ForPath(capability.FSRead, path)
		if err != nil || c.Display() != "fs.read:"+want {
			t.Errorf("%q shows as %s, %v; want %s", path, c.Display(), err, want)
		}
	}
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "::ffff:8.8.8.8": true, "2606:4700::1": true,
		"127.0.0.1": false, "::ffff:127.0.0.1": false, "10.0.0.1": false, "172.31.0.1": false, "192.168.0.1": false, "100.64.0.1": false,
		"169.254.169.254": false, "168.63.129.16": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "192.0.2.1": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "ff02::1": false, "64:ff9b::7f00:1": false,
		"2002:7f00:1::": false, "2001:0:1::": false, "2001:db8::1": false, "::127.0.0.1": false,
	} {
		if got := capability.Public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: got %v, want %v", text, got, want)
		}
	}
	if capability.Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}
