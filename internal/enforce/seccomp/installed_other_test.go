//go:build linux && !amd64

package seccomp_test

func nativeProbes() []probe { return nil }

func nativeChildren() map[string]entry { return nil }
