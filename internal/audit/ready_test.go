package audit_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ambit.dev/ambit/internal/audit"
)

// What is made ready has the end of the log on the disk, and the next record waits for
// nothing but itself; where something else was appended meanwhile, for that as well.
func TestReady(t *testing.T) {
	for name, between := range map[string]int{"nothing between": 0, "a record between": 1} {
		t.Run(name, func(t *testing.T) {
			dir, _ := ends(t) // what it ends with is not on the disk
			synced := 0
			d := countedDisk{Disk: audit.OSDisk, before: func(op string, _ int) (int, error) {
				if op == "sync" {
					synced++
				}
				return 0, nil
			}}
			l := open(t, dir, audit.Options{}.WithDisk(d).WithBoot(bootA))
			if err := l.Ready(t.Context()); err != nil || synced != 1 {
				t.Fatalf("made ready with %d waits for the disk: %v", synced, err)
			}
			before := content(t, dir)
			if err := l.Ready(t.Context()); err != nil || synced != 1 || !slices.Equal(content(t, dir), before) {
				t.Errorf("made ready again with %d waits for the disk, and the log is as it was: %v; %v", synced, slices.Equal(content(t, dir), before), err)
			}
			other := open(t, dir, audit.Options{}.WithBoot(bootA))
			for i := range between {
				if _, err := other.AppendSoon(t.Context(), decision(t, i)); err != nil {
					t.Fatal(err)
				}
			}
			synced = 0
			got, err := l.Append(t.Context(), decision(t, 7))
			if want := uint64(6 + between); err != nil || got[0].Seq != want || synced != 1+between {
				t.Errorf("got %+v, %v; want number %d; waited for the disk %d times", got, err, want, synced)
			}
			verify(t, dir)
		})
	}
}

// What a crash left is repaired by who appends, which says so, and by nobody before.
func TestReadyRepairsNothing(t *testing.T) {
	dir, _ := ends(t)
	name := filepath.Join(dir, "00000001.log")
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = f.WriteString(`{"seq":6,`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	before := content(t, dir)
	l := open(t, dir, audit.Options{}.WithBoot(bootA))
	if err := l.Ready(t.Context()); err == nil || !slices.Equal(content(t, dir), before) {
		t.Errorf("made ready: %v; the log is as it was: %v", err, slices.Equal(content(t, dir), before))
	}
	got, err := l.Append(t.Context(), decision(t, 7))
	if err != nil || got[0].Seq != 7 { // behind the record that says what was repaired
		t.Errorf("got %+v, %v", got, err)
	}
	verify(t, dir)
}

func content(t *testing.T, dir string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "00000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
