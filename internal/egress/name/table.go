package name

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// ErrFull says that every address of the table is in use.
var ErrFull = errors.New("too many names are in use")

// A Table gives names addresses. It is safe for concurrent use.
type Table struct {
	limit int
	now   func() time.Time

	mu     sync.Mutex
	next   netip.Addr            // guarded by mu; the first that was never given out
	byName map[string]*entry     // guarded by mu
	byAddr map[netip.Addr]*entry // guarded by mu
	idle   *list.List            // guarded by mu; of *entry without flows, the longest unused first
}

type entry struct {
	name  string
	addr  netip.Addr
	flows int
	used  time.Time
	place *list.Element // in idle; nil while there are flows
}

// NewTable returns a table of at most limit names.
func NewTable(limit int, now func() time.Time) *Table {
	return &Table{
		limit: limit, now: now, next: Pool.Addr().Next(),
		byName: map[string]*entry{}, byAddr: map[netip.Addr]*entry{}, idle: list.New(),
	}
}

// Address returns the address of a name, and gives it one if it has none.
func (t *Table) Address(name string) (netip.Addr, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byName[name]; e != nil {
		t.touch(e)
		return e.addr, nil
	}
	addr, err := t.free()
	if err != nil {
		return netip.Addr{}, err
	}
	e := &entry{name: name, addr: addr, used: t.now()}
	e.place = t.idle.PushBack(e)
	t.byName[name], t.byAddr[addr] = e, e
	return addr, nil
}

// free takes an address that was never given out, or the longest unused one.
func (t *Table) free() (netip.Addr, error) {
	if len(t.byName) < t.limit && Pool.Contains(t.next) && !Link.Contains(t.next) {
		addr := t.next
		t.next = addr.Next()
		return addr, nil
	}
	front := t.idle.Front()
	if front == nil {
		return netip.Addr{}, ErrFull
	}
	old := front.Value.(*entry)
	if t.now().Sub(old.used) < Grace {
		return netip.Addr{}, ErrFull
	}
	t.idle.Remove(front)
	delete(t.byName, old.name)
	delete(t.byAddr, old.addr)
	return old.addr, nil
}

// touch notes a use of e.
func (t *Table) touch(e *entry) {
	e.used = t.now()
	if e.place != nil {
		t.idle.MoveToBack(e.place)
	}
}

// Name returns the name that an address stands for now.
func (t *Table) Name(addr netip.Addr) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byAddr[addr]
	if e == nil {
		return "", false
	}
	return e.name, true
}

// Hold returns the name that an address stands for, and keeps it so until
// release is called, once.
func (t *Table) Hold(addr netip.Addr) (name string, release func(), ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.byAddr[addr]
	if e == nil {
		return "", func() {}, false
	}
	e.flows++
	if e.place != nil {
		t.idle.Remove(e.place)
		e.place = nil
	}
	return e.name, func() { t.release(e) }, true
}

func (t *Table) release(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.used = t.now()
	if e.flows--; e.flows == 0 {
		e.place = t.idle.PushBack(e)
	}
}

// Len is the number of names.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byName)
}
