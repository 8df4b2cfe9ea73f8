// Package job is what the harness and the first process of its guest say to
// each other: a list of jobs goes in with the guest's initramfs, lines of JSON
// come out of its one port.
package job

import "time"

// Port is the name of the virtio port that events leave by.
const Port = "ambit.events"

// ListFile is where the initramfs has the list.
const ListFile = "/jobs.json"

// A List is what one guest does between its start and its end.
type List struct {
	Modules []string `json:"modules"` // files of the initramfs, in the order to load them
	Disk    string   `json:"disk"`    // the device of the root file system
	Jobs    []Job    `json:"jobs"`
}

// A Job is one program to run to its end.
type Job struct {
	Name     string        `json:"name"`
	Setting  string        `json:"setting,omitempty"` // a file that holds 0 while the job runs
	UID      int           `json:"uid"`
	Group    string        `json:"group,omitempty"`    // where the control group lies that it starts in, beneath the top
	Delegate bool          `json:"delegate,omitempty"` // the group is the user's own, with all that is needed handed down
	Dir      string        `json:"dir"`
	Argv     []string      `json:"argv"`
	Env      []string      `json:"env"`
	Limit    time.Duration `json:"limit"`
}

// An Event is one line out of the guest.
type Event struct {
	Job   int           `json:"job"`           // its place in the list; -1: the guest itself
	Out   []byte        `json:"out,omitempty"` // what the job wrote
	Ended bool          `json:"ended,omitempty"`
	Error string        `json:"error,omitempty"` // why it ended otherwise than with status 0
	Took  time.Duration `json:"took,omitempty"`
}
