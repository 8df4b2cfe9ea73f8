// Package leaktest ends tests that leave goroutines behind.
//
// Layer: tests only.
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines have to end after the tests.
const patience = time.Minute

// Main runs the tests of a package, and fails them if a goroutine of theirs stays.
func Main(m *testing.M) {
	code := m.Run()
	for end := time.Now().Add(patience); code == 0; {
		left := goleak.Find() // which waits a moment
		if left == nil {
			break
		}
		if time.Now().After(end) {
			fmt.Fprintln(os.Stderr, "left behind:", left)
			code = 1
		}
	}
	os.Exit(code)
}
