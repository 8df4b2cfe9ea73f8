package escape_test

import (
	"strings"
	"testing"
)

// P47: what would weaken the sandbox cannot be had by a flag's accident. What
// this tier has nothing for refuses the launch and is named.
func TestP47Privileged(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"host.execute", "kernel.module:loop", "process.kill:*", "systemd.unit:x", "usb.device:*", "fs.read:/", "fs.write:/", "fs.read:/**", "fs.read:/proc", "fs.write:/dev", "fs.write:/proc/sys"} {
		t.Run(strings.ReplaceAll(c, "/", "|"), func(t *testing.T) {
			f := newField(t)
			f.base = func() []string { return nil }
			f.flags = []string{"--allow", c}
			out, err := f.box(t, "/bin/sh", "-c", "echo it runs").CombinedOutput()
			if status := exitStatus(err); status != 125 && status != 126 || strings.Contains(string(out), "it runs") {
				t.Errorf("P47: got exit %d %s", status, out)
			}
		})
	}
	for _, flags := range [][]string{{"--privileged"}, {"--tier", "none"}, {"--tier", "host"}, {"--tier", "process-landlock"}, {"--home", "host"}, {"--net", "host"}, {"-v", "/:/host:rw"}, {"-v", "/proc:/p:rw"}} {
		t.Run(strings.ReplaceAll(strings.Join(flags, " "), "/", "|"), func(t *testing.T) {
			f := newField(t)
			f.flags = flags
			out, err := f.box(t, "/bin/sh", "-c", "echo it runs").CombinedOutput()
			if status := exitStatus(err); status != 125 && status != 126 || strings.Contains(string(out), "it runs") {
				t.Errorf("P47: got exit %d %s", status, out)
			}
		})
	}
}
