package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/landlock"
)

// version is set when the binary is linked.
var version string

// build says which ambit this is and on what it runs.
type build struct {
	Version     string `json:"version"`
	Revision    string `json:"revision,omitempty"`
	Modified    bool   `json:"modified,omitempty"`
	Go          string `json:"go"`
	Platform    string `json:"platform"`
	Kernel      string `json:"kernel"`
	LandlockABI int    `json:"landlock_abi"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of ambit and of what it rests on",
		Example: `  ambit version
  ambit version --json`,
		Args: nothing,
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			if a.json {
				return a.printJSON(b)
			}
			printf(a.out, "ambit %s\n", b.Version)
			if b.Revision != "" {
				printf(a.out, "revision %s%s\n", b.Revision, map[bool]string{true: " (modified)"}[b.Modified])
			}
			printf(a.out, "%s %s\nLinux %s, Landlock version %d\n", b.Go, b.Platform, b.Kernel, b.LandlockABI)
			return nil
		},
	}
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Kernel: kernel()}
	b.LandlockABI, _ = landlock.ABI() // 0 where there is none
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "(unknown)"
	}
	return b
}

// kernel is the release of the running one.
func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
