package main

import (
	"encoding/json"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestTellLate: who asks what a network does is told, also where the process that
// knows takes as long as it may.
func TestTellLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asks, told := net.Pipe()
		go tell(told, func() liveNetwork {
			time.Sleep(wantTime)
			return liveNetwork{Session: "s-1"}
		})
		var got liveNetwork
		if err := json.NewDecoder(asks).Decode(&got); err != nil || got.Session != "s-1" {
			t.Errorf("told %+v, %v", got, err)
		}
		if err := asks.Close(); err != nil {
			t.Error(err)
		}
	})
}
