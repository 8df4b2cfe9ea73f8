//go:build race

package probe_test

// raceDetector is set where the test binary, which is the program inside,
// needs more memory for the race detector than the scenario allows.
const raceDetector = true
