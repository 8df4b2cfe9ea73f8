package escape_test

import (
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// N22: without its network process, or with one that does not begin, a run that
// was granted a network does not happen; the program is never let go without.
func TestN22WithoutPlane(t *testing.T) {
	for name, egress := range map[string]string{
		"absent":         "",
		"it ends":        "#!/bin/sh\nexit 0\n",
		"it talks":       "#!/bin/sh\necho nonsense >&3; echo '{\"ready\":true}' >&3\n",
		"it is no file":  "/",
		"not executable": "-",
	} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			program := f.without(t, "ambit-egress", egress)
			cmd := exec.Command(program, "run", "--allow", "fs.write:"+f.Work, "--allow", "net.connect:example.test", "--", "touch", f.work("ran"))
			f.fit(cmd)
			begin := time.Now()
			out, err := cmd.CombinedOutput()
			if exitStatus(err) != 125 || time.Since(begin) > longest {
				t.Errorf("status %d after %v: %s", exitStatus(err), time.Since(begin), out)
			}
			if _, err := os.Stat(f.work("ran")); err == nil {
				t.Errorf("the program ran: %s", out)
			}
			f.nothingLeft(t)
			// The control: without a network it runs.
			cmd = exec.Command(program, "run", "--allow", "fs.write:"+f.Work, "--", "touch", f.work("ran"))
			f.fit(cmd)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("without a network: %v: %s", err, out)
			}
		})
	}
}

// N22: a network process that talks nonsense once the program runs, and stays,
// ends the run: the program does not go on without the network that it was granted.
func TestN22PlaneTalksLater(t *testing.T) {
	for name, said := range map[string]string{"nonsense": "echo nonsense >&3", "nothing more": "exec 3>&-"} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			program := f.without(t, "ambit-egress", "#!/bin/sh\necho '{\"ready\":true}' >&3; "+said+"; exec sleep 300\n")
			cmd := exec.Command(program, "run", "--allow", "net.connect:example.test", "--", "sleep", "200")
			f.fit(cmd)
			begin := time.Now()
			out, err := cmd.CombinedOutput()
			if exitStatus(err) == 0 || time.Since(begin) > longest {
				t.Errorf("status %d after %v: %s", exitStatus(err), time.Since(begin), out)
			}
			f.nothingLeft(t)
		})
	}
}

// N22: where connections are opened, a network process that tells no certificate,
// or something else in its place, is none: nothing of what it told is trusted.
func TestN22WithoutCertificate(t *testing.T) {
	const told = `MIIBAA==`
	for name, said := range map[string]string{
		"it ends":           "",
		"it tells nothing":  `{"ready":true}`,
		"it tells a text":   `{"trust":"eHg="}`,
		"it tells too much": `{"trust":"` + strings.Repeat("A", 30<<10) + `"}`,
		"it tells a key":    `{"trust":"` + base64.StdEncoding.EncodeToString([]byte("-----BEGIN PRIVATE KEY-----\n"+told+"\n-----END PRIVATE KEY-----\n")) + `"}`,
		"it tells two":      `{"trust":"` + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("-----BEGIN CERTIFICATE-----\n"+told+"\n-----END CERTIFICATE-----\n", 2))) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newField(t)
			// It would go on and say that packets are answered.
			script := "#!/bin/sh\n[ \"$1\" = authority ] || exit 3\nexec 1>&3\nprintf '%s\\n' '" + said + "'\nread -r hello <&3\necho '{\"ready\":true}'\ncat <&3\n"
			program := f.without(t, "ambit-egress", script)
			cmd := exec.Command(program, "run", "--allow", "fs.write:"+f.Work, "--allow", "net.connect:example.test/http:GET:/**", "--", "touch", f.work("ran"))
			f.fit(cmd)
			out, err := cmd.CombinedOutput()
			if exitStatus(err) != 125 || !strings.Contains(string(out), "certificate") {
				t.Errorf("status %d: %s", exitStatus(err), out)
			}
			if _, err := os.Stat(f.work("ran")); err == nil {
				t.Errorf("the program ran: %s", out)
			}
			f.nothingLeft(t)
		})
	}
}

// N23: a list of what may be reached that is empty, or nothing of the kind, is no
// network.
func TestN23EmptyLists(t *testing.T) {
	f := newField(t)
	for _, text := range []string{"", "net.connect:", "net.connect: ", "net.connect", "net.connect:[]", "net.connect:**", "net.connect:*.*",
		"net.connect:.", "net.connect:example.test:", "net.connect:example.test:0", "net.connect:example.test:65536", "net.connect:example.test:9-8",
		"net.connect:10.0.0.0/33", "net.connect:[::1", "net.listen:", "net.listen:0", "net.listen:8080/0", "dns.lookup:", "dns.lookup:example.test", "dns.lookup:example.test/"} {
		cmd := exec.Command(ambit(t), "run", "--allow", text, "--", "true")
		f.fit(cmd)
		if out, err := cmd.CombinedOutput(); exitStatus(err) != 125 {
			t.Errorf("--allow %q: status %d: %s", text, exitStatus(err), out)
		}
	}
	for name, capabilities := range map[string]string{"empty": "[]", "missing": "", "null": "null", "a text": `"net.connect:*"`, "a number": "7",
		"an object": `{"net.connect": "*"}`, "an empty text": `[{"capability": "net.connect:", "reason": "x"}]`} {
		pack := filepath.Join(f.Dir, strings.ReplaceAll(name, " ", "-"))
		text := `{"id": "dev.ambit.lists", "name": "Lists", "version": "1.0.0", "kind": "cli-tool", "description": "x", "entry": ["/bin/cat", "/proc/net/dev"]`
		if capabilities != "" {
			text += `, "capabilities": ` + capabilities
		}
		f.put(t, filepath.Join(pack, "ambit.json"), text+"}")
		cmd := exec.Command(ambit(t), "run", "--pack", pack)
		f.fit(cmd)
		out, err := cmd.CombinedOutput()
		if exitStatus(err) == 0 && strings.Contains(string(out), "eth0") {
			t.Errorf("a manifest whose capabilities are %s has a network: %s", name, out)
		}
		if name != "empty" && name != "missing" && exitStatus(err) != 125 {
			t.Errorf("a manifest whose capabilities are %s: status %d: %s", name, exitStatus(err), out)
		}
	}
	// The control: what was granted is a network.
	cmd := exec.Command(ambit(t), "run", "--allow", "net.connect:example.test", "--", "cat", "/proc/net/dev")
	f.fit(cmd)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "eth0") {
		t.Errorf("with a grant: %v: %s", err, out)
	}
}
