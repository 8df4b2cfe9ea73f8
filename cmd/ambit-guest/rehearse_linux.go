package main

import (
	"encoding/json"
	"runtime"
	"runtime/debug"
	"time"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// What a template has done, no clone of it does. Under an emulator that is most of
// a start: each clone translates all code anew that it runs, and each page that it
// writes is one of its own.

// rehearse says to this process what it will hear and say, so that the tables by
// which values become text are made.
func rehearse() error {
	of := channel.Entry{Op: "file", Content: []byte{0}}
	for _, v := range []struct{ from, to any }{
		{channel.Request{Op: channel.OpPrepare, Identity: &channel.Identity{Seed: []byte{0}},
			Prepare: &channel.Prepare{Entries: []channel.Entry{of}, Argv: [][]byte{{0}}, Link: &channel.Link{}}}, &channel.Request{}},
		{channel.Prepare{Entries: []channel.Entry{of}, Env: [][]byte{{0}}}, &channel.Prepare{}},
		{channel.Node{Path: ".", Kind: channel.NodeDir}, &channel.Node{}},
		{channel.Answer{}, &channel.Answer{}}, {said{}, &said{}}, {call{}, &call{}},
	} {
		text, err := json.Marshal(v.from)
		if err == nil {
			err = json.Unmarshal(text, v.to)
		}
		if err != nil {
			return err
		}
	}
	debug.SetGCPercent(lazily)
	runtime.GC() // what making them left
	return nil
}

// lazily has a heap grow to 16 MB before it is collected for the first time: what a
// start allocates stays below that.
const lazily = 400

// settled is how long a machine has to finish what it began while it booted.
const settled = 500 * time.Millisecond

// settle waits for that, so that no clone begins with it.
func settle() { time.Sleep(settled) }
