//go:build !linux || (!amd64 && !arm64)

package memory

// unmapProgram does nothing: where the program is mapped is known on few systems.
func unmapProgram() {}
