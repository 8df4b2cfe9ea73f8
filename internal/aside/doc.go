// Package aside names files that are written beside their place until they are whole, and
// finds those that were left there by one who was killed meanwhile.
//
// This package is a mechanism: it removes nothing.
package aside
