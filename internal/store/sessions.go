package store

import "time"

// States of a session that this package knows; others are how it ended.
const (
	Running = "running"
	Lost    = "lost" // its process is gone and nobody said how it ended
)

// Session is one run of a pack.
type Session struct {
	ID, Principal, Pack, Digest, Program string
	PID                                  int // of the process that looks after it
	Tier                                 string
	Started, Ended                       time.Time // Ended is zero while it runs
	Status                               string
}
