package keep

import "os"

// A Launch is what a launcher that stands by is told.
type Launch struct {
	Args []string `json:"args"`
	Dir  string   `json:"dir"`

	Trace      string `json:"trace,omitempty"` // a traceparent; "": none
	TraceState string `json:"tracestate,omitempty"`
}

// How a launcher stands by: it is started as `ambit run --standby --state-dir=DIR` and
// says by one byte that it stands. The host tells it a Launch, as JSON, and its keeper
// by one byte that the job is its own. Where either ends before, there is nothing to
// launch.
const (
	StandByFlag = "standby"
	StateFlag   = "--state-dir="
	LaunchFD    = 3 // the Launch is read there
	ClaimFD     = 4 // and there what its keeper says
	StandsFD    = 5 // what it says itself is written there
	Claimed     = '\n'
	Told        = "told"
	// MaxLaunch bounds what it reads: what a kernel takes as arguments, in JSON.
	MaxLaunch = 16 << 20
)

// A Stand is what a keeper that stands by has from its host: where the name of the
// job's folder comes, and behind it Told where its launcher was told of the job, in one
// line, and what its launcher has as LaunchFD and StandsFD. Where the name ends there is
// nothing to run.
type Stand struct{ Name, Launch, Stands *os.File }

// Launch is what a launcher that stands by is told of a job. It is not ok where none
// can run it: their standard input is empty, and a pipe would be another thing to
// programs than that.
func (j Job) Launch() (l Launch, ok bool) {
	return Launch{Args: j.Args, Dir: j.Dir, Trace: j.Trace, TraceState: j.TraceState}, len(j.Stdin) == 0 && j.Terminal == nil && j.Session == ""
}
