package memory

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A process is looked at this often for so long. What it has allocated from one look to the
// next says whether it works. On a busy host one that works may seem to rest: so it has to
// rest for some looks, and gives back twice at most, when it waits to be used and when it is.
const (
	look  = 50 * time.Millisecond
	young = 3 * time.Second
	works = 16 << 10
	rests = 2
	times = 2
)

// What it has to have allocated since the last time, before something is given back. A
// collection leaves tables of half a megabyte: they would be more than the garbage.
const (
	worthUnmapping  = 512 << 10
	worthCollecting = 5 << 19
)

// Settle has a process that has just begun give back what it took for that, whenever it comes
// to rest, as long as it is young. It returns at once.
func Settle() {
	go func() {
		unmapped, collected, last := uint64(0), uint64(0), allocated()
		end := time.Now().Add(young)
		for given, rested := 0, 0; given < times && time.Now().Before(end); {
			time.Sleep(look)
			now := allocated()
			if rested++; now-last > works {
				rested = 0
			}
			last = now
			if rested < rests || now-unmapped < worthUnmapping {
				continue
			}
			if now-collected > worthCollecting {
				debug.FreeOSMemory()
				collected = now
			}
			unmapProgram()
			unmapped = now
			given++
		}
	}()
}

// allocated is how much this process has allocated since it began, in bytes.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
