package escape_test

import "testing"

func TestF35DeviceNodes(t *testing.T) {
	attack{
		ID: "F35", Title: "find devices and kernel files of the host",
		Reference: "privileged containers; CDK's mount-disk and rewrite-cgroup-devices",
		Tiers:     process,
		Tries: []try{{Name: "any", Want: refused(), Do: func(f *field) error {
			return f.each([]string{"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/dm-0", "/dev/loop0",
				"/dev/loop-control", "/dev/fuse", "/dev/kvm", "/dev/vhost-net", "/dev/net/tun", "/dev/input", "/dev/snd", "/dev/dri", "/dev/console",
				"/dev/tty0", "/dev/ttyS0", "/dev/vcs", "/dev/mapper", "/dev/disk", "/dev/bus/usb", "/dev/autofs", "/dev/hpet", "/dev/userfaultfd", "/dev/uinput",
				"/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/security", "/sys/firmware", "/sys/fs/bpf", "/sys", "/boot", "/proc/kcore/."}, exists)
		}}},
	}.run(t)
}
