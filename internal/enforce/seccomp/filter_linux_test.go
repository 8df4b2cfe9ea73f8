package seccomp_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/seccomp"
)

var architectures = []string{"amd64", "arm64"}

// combinations are all sets of options.
func combinations() []seccomp.Options {
	var all []seccomp.Options
	for i := range 1 << 13 {
		on := func(bit int) bool { return i>>bit&1 == 1 }
		all = append(all, seccomp.Options{NoSpawn: on(0), LimitExec: on(1), HoldConnect: on(2), HoldSendto: on(3),
			HoldOpen: on(4), AllowPtrace: on(5), KeepDeathSignal: on(6), HoldChanges: on(7), HoldRuns: on(8), HoldLooks: on(9), HoldListens: on(10), NoGroupSignal: on(11), HoldSockets: on(12)})
	}
	return all
}

// someOptions are none, each alone, and all: where every combination would
// take long.
func someOptions() []seccomp.Options {
	var some []seccomp.Options
	all := combinations()
	for i := range all {
		if i&(i-1) == 0 || i == len(all)-1 {
			some = append(some, all[i])
		}
	}
	return some
}

// A machine runs a filter as the kernel would, in an interpreter that is not
// ours.
type machine struct{ vm *bpf.VM }

func newMachine(t testing.TB, program []unix.SockFilter) machine {
	t.Helper()
	var raw []bpf.RawInstruction
	for _, i := range program {
		raw = append(raw, bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	decoded, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("the program has instructions that the interpreter does not know")
	}
	vm, err := bpf.NewVM(decoded)
	if err != nil {
		t.Fatal(err)
	}
	return machine{vm}
}

func (m machine) run(t testing.TB, audit, nr uint32, args [6]uint64) uint32 {
	t.Helper()
	// struct seccomp_data. The kernel loads words as the machine has them, the
	// interpreter big-endian: each word is stored the other way round.
	words := []uint32{nr, audit, 0, 0}
	for _, a := range args {
		words = append(words, uint32(a), uint32(a>>32))
	}
	var data []byte
	for _, w := range words {
		data = binary.BigEndian.AppendUint32(data, w)
	}
	got, err := m.vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(got)
}

// TestAgainstTable compares program and table for every number and every set
// of arguments that a rule tells apart.
func TestAgainstTable(t *testing.T) {
	for _, arch := range architectures {
		for _, o := range someOptions() {
			table := seccomp.TableFor(arch, o)
			program, err := table.Assemble()
			if err != nil {
				t.Fatal(err)
			}
			m := newMachine(t, program)
			for nr := range uint32(1024) {
				for _, args := range table.Witnesses(nr) {
					got, want := m.run(t, table.Audit(), nr, args), table.Decide(table.Audit(), nr, args)
					if got != want {
						t.Fatalf("%s %+v: call %d %q %#x: program says %s, table %s", arch, o, nr, table.Name(nr), args,
							seccomp.ActionName(got), seccomp.ActionName(want))
					}
				}
			}
		}
	}
}

func FuzzAgainstTable(f *testing.F) {
	f.Add(byte(0), false, uint32(0), uint32(56), uint64(0x10000000), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Add(byte(127), true, uint32(1), uint32(44), uint64(3), uint64(1), uint64(2), uint64(3), uint64(1<<40))
	f.Add(byte(3), false, uint32(0), uint32(0x40000000), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0))
	all := combinations()
	f.Fuzz(func(t *testing.T, options byte, arm bool, foreign, nr uint32, a0, a1, a2, a3, a4 uint64) {
		arch := architectures[0]
		if arm {
			arch = architectures[1]
		}
		table := seccomp.TableFor(arch, all[int(options)%len(all)])
		program, err := table.Assemble()
		if err != nil {
			t.Fatal(err)
		}
		m := newMachine(t, program)
		args := [6]uint64{a0, a1, a2, a3, a4, 0}
		for _, audit := range []uint32{table.Audit(), table.Audit() ^ foreign} {
			for _, n := range []uint32{nr, nr % 512} {
				if got, want := m.run(t, audit, n, args), table.Decide(audit, n, args); got != want {
					t.Errorf("%s call %d %#x: program says %#x, table %#x", arch, n, args, got, want)
				}
			}
		}
	})
}

// TestRandomArguments throws arguments without thought at the program with
// everything on.
func TestRandomArguments(t *testing.T) {
	all := combinations()
	for _, arch := range architectures {
		table := seccomp.TableFor(arch, all[len(all)-1])
		program, err := table.Assemble()
		if err != nil {
			t.Fatal(err)
		}
		m := newMachine(t, program)
		random := rand.New(rand.NewPCG(1, 2))
		for range 200_000 {
			nr := random.Uint32N(512)
			var args [6]uint64
			for i := range args {
				args[i] = random.Uint64() >> random.UintN(64)
			}
			if got, want := m.run(t, table.Audit(), nr, args), table.Decide(table.Audit(), nr, args); got != want {
				t.Fatalf("%s call %d %#x: program says %#x, table %#x", arch, nr, args, got, want)
			}
		}
	}
}

func TestHeads(t *testing.T) {
	for _, arch := range architectures {
		table := seccomp.TableFor(arch, seccomp.Options{})
		program, err := table.Assemble()
		if err != nil {
			t.Fatal(err)
		}
		m := newMachine(t, program)
		enosys := uint32(unix.SECCOMP_RET_ERRNO | unix.ENOSYS)
		for _, c := range []struct {
			what      string
			audit, nr uint32
			want      uint32
		}{
			{"i386", unix.AUDIT_ARCH_I386, 1, unix.SECCOMP_RET_KILL_PROCESS},
			{"32-bit ARM", unix.AUDIT_ARCH_ARM, 1, unix.SECCOMP_RET_KILL_PROCESS},
			{"no architecture", 0, 1, unix.SECCOMP_RET_KILL_PROCESS},
			{"first call", table.Audit(), 0, unix.SECCOMP_RET_ALLOW},
			{"x32 read", table.Audit(), 0x40000000, enosys},
			{"x32 execve", table.Audit(), 0x40000000 + 520, enosys},
			{"the newest reviewed", table.Audit(), 469, unix.SECCOMP_RET_ALLOW},
			{"the next one", table.Audit(), 470, enosys},
			{"old x32-only number", table.Audit(), 520, enosys},
			{"gap", table.Audit(), 400, enosys},
			{"first after the gap", table.Audit(), 424, unix.SECCOMP_RET_ALLOW},
			{"-1", table.Audit(), 0xffffffff, enosys},
		} {
			if got := m.run(t, c.audit, c.nr, [6]uint64{}); got != c.want {
				t.Errorf("%s: %s: got %s, want %s", arch, c.what, seccomp.ActionName(got), seccomp.ActionName(c.want))
			}
		}
	}
}

// TestRefusalBeforeHold checks that nothing that is refused with no option is
// held with any.
func TestRefusalBeforeHold(t *testing.T) {
	for _, arch := range architectures {
		plain := seccomp.TableFor(arch, seccomp.Options{AllowPtrace: true})
		for _, o := range someOptions() {
			table := seccomp.TableFor(arch, o)
			program, err := table.Assemble()
			if err != nil {
				t.Fatal(err)
			}
			m := newMachine(t, program)
			for nr := range uint32(512) {
				for _, args := range table.Witnesses(nr) {
					before := plain.Decide(plain.Audit(), nr, args)
					if before != unix.SECCOMP_RET_ALLOW && m.run(t, table.Audit(), nr, args) != before {
						t.Fatalf("%s %+v: call %d %#x was refused without options and is not with them", arch, o, nr, args)
					}
				}
			}
		}
	}
}

// TestLimits checks what the kernel checks, and that every jump lands inside.
func TestLimits(t *testing.T) {
	for _, arch := range architectures {
		longest := 0
		for _, o := range combinations() {
			program, err := seccomp.TableFor(arch, o).Assemble()
			if err != nil {
				t.Fatal(err)
			}
			longest = max(longest, len(program))
			for i, ins := range program {
				to := i + 1 + int(max(ins.Jt, ins.Jf))
				if ins.Code == unix.BPF_JMP|unix.BPF_JA {
					to = i + 1 + int(ins.K)
				}
				if ins.Code&7 == unix.BPF_JMP && to >= len(program) {
					t.Fatalf("instruction %d jumps to %d of %d", i, to, len(program))
				}
			}
			if last := program[len(program)-1]; last.Code&7 != unix.BPF_RET {
				t.Fatalf("%s %+v: the last instruction is no return", arch, o)
			}
		}
		if longest > 4096 {
			t.Errorf("%s: %d instructions, the kernel takes 4096", arch, longest)
		}
		t.Log(arch, "longest program:", longest)
	}
}

func TestHolds(t *testing.T) {
	for _, o := range combinations() {
		held := false
		for _, row := range seccomp.TableFor("amd64", o).Describe() {
			held = held || row.Action == "hold"
		}
		if o.Holds() != held {
			t.Errorf("%+v: Holds is %v, the table holds: %v", o, o.Holds(), held)
		}
		if (o.Flags() != 0) != held {
			t.Errorf("%+v: flags %#x, the table holds: %v", o, o.Flags(), held)
		}
	}
}

// TestEachCallHasANumber finds rules that would vanish by a mistyped name.
func TestEachCallHasANumber(t *testing.T) {
	if !seccomp.Sorted() {
		t.Error("the table of numbers is not sorted by name")
	}
	numbers := seccomp.Numbers()
	named := map[string]bool{}
	for _, o := range someOptions() {
		for _, call := range seccomp.Calls(o) {
			named[call] = true
			if _, ok := numbers[call]; !ok {
				t.Errorf("no number for %q", call)
			}
		}
	}
	for call := range numbers {
		if !named[call] {
			t.Errorf("no rule for %q", call)
		}
	}
}

func ExampleDescribe() {
	rows, err := seccomp.Describe(seccomp.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range rows {
		if r.Call == "setns" {
			fmt.Println(r.Call, r.Action)
		}
	}
	// Output: setns EPERM
}

// TestTooFar checks that what does not fit a jump is an error, not a jump to
// somewhere else.
func TestTooFar(t *testing.T) {
	for what, err := range map[string]error{
		"a test of 300 values": seccomp.AssembleWide(300), "100 rules for a call": seccomp.AssembleMany(100),
		"a call without a number": seccomp.AssembleUnknown(),
	} {
		if err == nil {
			t.Errorf("%s was assembled", what)
		}
	}
	if err := seccomp.AssembleWide(250); err != nil {
		t.Errorf("a test of 250 values: %v", err)
	}
}
