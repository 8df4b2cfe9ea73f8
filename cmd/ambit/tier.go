package main

import (
	"fmt"

	"ambit.dev/ambit/internal/core/manifest"
)

// fits refuses a pack whose kind needs more than the process tier gives, unless
// the person named the tier.
func fits(k manifest.Kind, tier string) error {
	switch k {
	case manifest.CLITool, manifest.MCPTool, manifest.HeadlessApp:
		return nil
	case manifest.Agent:
		if tier == "process" {
			return nil
		}
		return fmt.Errorf("code of kind %q needs a tier with a kernel of its own, which this version does not have; --tier process accepts the weaker one", k)
	case manifest.DesktopApp, manifest.SystemService:
	}
	return fmt.Errorf("kind %q needs what the process tier does not have here; this version runs cli-tool, mcp-tool and headless-app", k)
}
