package view

// FindBesideIn is FindBeside for a tree of a test.
var FindBesideIn = findBeside
