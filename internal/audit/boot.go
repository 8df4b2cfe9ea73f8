package audit

import (
	"os"
	"strings"
	"sync"
)

// hostBoot is the id of this boot of the machine (proc_sys_kernel(5), random/boot_id); "" where there is none.
// What a process has written is there for every other one until the next boot, whether it
// is on the disk or not.
var hostBoot = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if id := strings.TrimSpace(string(b)); err == nil && isBoot(id) {
		return id
	}
	return ""
})

// isBoot reports whether text may be the id of a boot: a UUID in lower case.
func isBoot(text string) bool {
	return len(text) == 36 && strings.Trim(text, "0123456789abcdef-") == ""
}
