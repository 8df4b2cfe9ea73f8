//go:build !race

package probe_test

// raceDetector is set where the test binary was built with it.
const raceDetector = false
