// Package checks has what is tried in a guest with the commands that people
// use. Its tests run there only.
package checks
