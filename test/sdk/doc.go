// Package sdk has no code but its tests, which say what they are for.
package sdk
