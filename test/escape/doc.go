// Package escape has no code but its tests, which say what they are for.
package escape
