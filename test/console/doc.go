// Package console has no code but its tests, which say what they are for.
package console
