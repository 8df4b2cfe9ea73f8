package escape_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// show is for programs that an attempt executes: it says what they have
// become, or stays.
func show(what string) {
	switch what {
	case "ids":
		fmt.Println(unix.Getuid(), unix.Geteuid(), unix.Getgid(), unix.Getegid())
	case "capabilities":
		fmt.Println(status("/proc/self", "CapPrm"), status("/proc/self", "CapEff"))
	case "restrictions":
		// As a forked program it can only answer by its status.
		if status("/proc/self", "NoNewPrivs") != "1" || status("/proc/self", "Seccomp") != "2" || strings.Trim(status("/proc/self", "CapEff"), "0") != "" {
			os.Exit(1)
		}
	case "victim":
		victim()
	case "sleep":
		time.Sleep(time.Hour)
	}
}

// status is one line of /proc/PID/status.
func status(dir, name string) string {
	text, err := os.ReadFile(dir + "/status")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, ":"); ok && k == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
