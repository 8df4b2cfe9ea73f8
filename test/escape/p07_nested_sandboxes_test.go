package escape_test

import (
	"os/exec"
	"testing"
)

func TestP07NestedSandboxes(t *testing.T) {
	a := attack{
		ID: "P7", Title: "tools that make sandboxes themselves",
		Reference: "nested bwrap and browsers' own sandboxes work inside bwrap, fence, greywall and srt",
		Tiers:     process,
		Tries: []try{
			{Name: "unshare", Sh: "unshare -Urmpf --mount-proc true", Want: refused()},
			{Name: "unshare of the network", Sh: "unshare -Urn true", Want: refused()},
		},
	}
	for name, sh := range map[string]string{
		"bwrap":   "bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all true",
		"podman":  "podman run --rm alpine true",
		"runc":    "runc spec && runc run x",
		"docker":  "docker run --rm alpine true",
		"nsjail":  "nsjail -Mo -- /bin/true",
		"systemd": "systemd-run --user --wait true",
	} {
		if _, err := exec.LookPath(name); err != nil && name != "systemd" {
			continue // what is not installed is not tried
		}
		y := try{Name: name, Sh: sh + " || exit 1", Want: refused()}
		if name != "bwrap" {
			y.NoControl = "whether it works outside is the host's affair"
		}
		a.Tries = append(a.Tries, y)
	}
	a.run(t)
}
