// Package script has no code but its tests, which say what they are for.
package script
