package egress

import (
	"os"
	"path/filepath"
)

// attached reports whether an interface is one of the host's own making, with
// containers or machines behind it: a bridge, or one without a device.
func attached(name string) bool {
	for _, mark := range []string{"bridge", "tun_flags"} {
		if _, err := os.Stat(filepath.Join("/sys/class/net", name, mark)); err == nil {
			return true
		}
	}
	return false
}
