//go:build !linux

package stopping

// Hold holds nothing here.
func Hold() (asked <-chan struct{}, release func()) { return nil, func() {} }
