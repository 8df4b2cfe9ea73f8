package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP12IPC(t *testing.T) {
	key := func(f *field) uintptr { return uintptr(f.number("key")) }
	no := refused(unix.ENOENT)
	attack{
		ID: "P12", Title: "shared memory, semaphores and message queues of the host",
		Reference: "containers with the host's ipc namespace; X11 and PostgreSQL keep secrets there",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			shm := "/dev/shm/ambit-escape-" + f.mark
			f.put(t, shm, f.token)
			t.Cleanup(func() { _ = os.Remove(shm) })
			f.Values["shm"] = shm
			k := os.Getpid()<<12 ^ int(f.mark[0])<<8 ^ int(f.mark[1])
			f.Values["key"] = itoa(k & 0x7fffffff)
			for _, make := range []struct{ get, control, size uintptr }{
				{unix.SYS_SHMGET, unix.SYS_SHMCTL, 4096}, {unix.SYS_SEMGET, unix.SYS_SEMCTL, 1}, {unix.SYS_MSGGET, unix.SYS_MSGCTL, 0},
			} {
				const create = 0o1000 | 0o600 // IPC_CREAT
				size := make.size
				if make.get == unix.SYS_MSGGET {
					size = create // its flags are the second argument
				}
				id, err := raw(make.get, key(f), size, create)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if make.get == unix.SYS_SEMGET {
						_, _ = raw(make.control, id, 0, 0) // IPC_RMID
						return
					}
					_, _ = raw(make.control, id, 0)
				})
			}
			name := "ambit-escape-" + f.mark
			f.Values["queue"] = name
			fd, err := raw(unix.SYS_MQ_OPEN, text(name), unix.O_CREAT|unix.O_RDWR, 0o600, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Close(int(fd)); _, _ = raw(unix.SYS_MQ_UNLINK, text(name)) })
		},
		Tries: []try{
			{Name: "POSIX shared memory", Do: func(f *field) error { return f.readFile(f.Values["shm"]) }, Want: no},
			{Name: "System V shared memory", Do: func(f *field) error { _, err := raw(unix.SYS_SHMGET, key(f), 0, 0); return err }, Want: no},
			{Name: "System V semaphores", Do: func(f *field) error { _, err := raw(unix.SYS_SEMGET, key(f), 0, 0); return err }, Want: no},
			{Name: "System V messages", Do: func(f *field) error { _, err := raw(unix.SYS_MSGGET, key(f), 0); return err }, Want: no},
			{Name: "POSIX messages", Do: func(f *field) error {
				_, err := raw(unix.SYS_MQ_OPEN, text(f.Values["queue"]), unix.O_RDWR, 0, 0)
				return err
			}, Want: no},
		},
	}.run(t)
}
