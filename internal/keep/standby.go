package keep

// A Launch is what a launcher that stands by is told.
type Launch struct {
	Args []string `json:"args"`
	Dir  string   `json:"dir"`

	Trace      string `json:"trace,omitempty"` // a traceparent; "": none
	TraceState string `json:"tracestate,omitempty"`
}

// How a launcher stands by: it is started as `ambit run --standby`, and reads a Launch
// as JSON from a descriptor. Where that ends before, there is nothing to launch.
const (
	StandByFlag = "standby"
	StandByFD   = 3
	// MaxLaunch bounds what it reads: what a kernel takes as arguments, in JSON.
	MaxLaunch = 16 << 20
)
