package keep

// A Launch is what a launcher that stands by is told.
type Launch struct {
	Args []string `json:"args"`
	Dir  string   `json:"dir"`

	Trace      string `json:"trace,omitempty"` // a traceparent; "": none
	TraceState string `json:"tracestate,omitempty"`
}

// How a launcher stands by: it is started as `ambit run --standby --state-dir=DIR`, and
// reads a Launch as JSON from a descriptor, and then one byte which says that the job
// is its own. Where that ends before, there is nothing to launch.
const (
	StandByFlag = "standby"
	StateFlag   = "--state-dir="
	StandByFD   = 3
	Claimed     = '\n'
	// MaxLaunch bounds what it reads: what a kernel takes as arguments, in JSON.
	MaxLaunch = 16 << 20
)
