package enforce_test

import (
	"reflect"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// TestEntryEqual: no field is left out.
func TestEntryEqual(t *testing.T) {
	one := enforce.Entry{Op: enforce.OpBind, Path: "/p", Source: "/s", Content: enforce.Content("text"), Size: 7, Mode: 0o644, Dev: 1, Ino: 2}
	if again := one; !one.Equal(again) {
		t.Error("it does not equal itself")
	}
	for i := range reflect.TypeOf(one).NumField() {
		other := one
		switch f := reflect.ValueOf(&other).Elem().Field(i); f.Kind() {
		case reflect.String:
			f.SetString("other")
		case reflect.Bool:
			f.SetBool(!f.Bool())
		case reflect.Int64:
			f.SetInt(99)
		case reflect.Uint32, reflect.Uint64:
			f.SetUint(99)
		case reflect.Slice:
			if f.Type().Elem().Kind() != reflect.Uint8 {
				f.Set(reflect.MakeSlice(f.Type(), 1, 1))
				break
			}
			f.SetBytes([]byte("texT"))
		default:
			t.Fatalf("a field of kind %s", f.Kind())
		}
		if name := reflect.TypeOf(one).Field(i).Name; one.Equal(other) || other.Equal(one) {
			t.Errorf("with another %s it is equal", name)
		}
	}
}

// TestAhead: what is laid out ahead is in every plan for the same command line, in
// the same order, and grants nothing.
func TestAhead(t *testing.T) {
	in := host()
	ahead := enforce.Ahead(in)
	in.Effective = caps(t, "fs.read:/home/u/notes", "fs.write:/work")
	in.Objects = map[string][]enforce.Object{"fs.read:/home/u/notes": {dir("/home/u/notes")}, "fs.write:/work": {dir("/work")}}
	p, err := enforce.Compile(in, facts())
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for _, e := range p.View {
		if next < len(ahead) && e.Equal(ahead[next]) {
			next++
		}
	}
	if len(ahead) < 10 || next != len(ahead) {
		t.Errorf("%d of %d entries are in the plan in this order; the next is %+v", next, len(ahead), ahead[min(next, len(ahead)-1)])
	}
	for _, e := range ahead {
		if e.Path == "/home/u/notes" || e.Path == "/work" {
			t.Errorf("it has %+v, which nobody granted", e)
		}
	}
	in = host()
	in.Base.Dirs = append(in.Base.Dirs, enforce.Object{Path: "/proc/1"}) // which no view can have
	if got := enforce.Ahead(in); len(got) != 0 {
		t.Errorf("a view that cannot be laid out: %+v", got)
	}
}
