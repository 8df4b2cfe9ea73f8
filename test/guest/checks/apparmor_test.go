package checks

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// AppArmor's policy for the guest, and where the kernel takes it.
const (
	compiledProfiles = "/srv/apparmor.compiled"
	loadProfiles     = "/sys/kernel/security/apparmor/.replace"
	namespaceMask    = "/sys/kernel/security/apparmor/features/namespaces/mask"
)

// TestAppArmor: where AppArmor forbids a user's ambit to make user namespaces, or
// lets it make them and gives it no rights in them, nothing runs, and the doctor
// names the profile.
func TestAppArmor(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root, to load a policy; it tries a user under it")
	}
	if mask, err := os.ReadFile(namespaceMask); err != nil || !strings.Contains(string(mask), "userns_create") {
		t.Skipf("requires: AppArmor that looks at user namespaces, Linux 6.7: %q, %v", mask, err)
	}
	policy, err := os.ReadFile(compiledProfiles)
	if err != nil {
		t.Skip("requires: ", err)
	}
	if err := os.WriteFile(loadProfiles, policy, 0); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(os.Getenv("AMBIT_BIN"))
	if err != nil {
		t.Fatal(err)
	}
	if s := asAna(t, os.Getenv("AMBIT_BIN"), "run", "--ask", "none", "--", "true"); s.status != 0 {
		t.Fatal("without a profile it does not run either")
	}
	for _, name := range []string{"ambit-no-userns", "ambit-no-rights"} {
		t.Run(name, func(t *testing.T) {
			copied := "/usr/local/bin/" + name
			if err := os.WriteFile(copied, program, 0o755); err != nil {
				t.Fatal(err)
			}
			asAna(t, copied, "doctor").want(t, 1, "FAILS   user namespaces", `AppArmor confines ambit by the profile "`+name+`"`, "/etc/apparmor.d/ambit", "does NOT hold")
			asAna(t, copied, "run", "--ask", "none", "--", "true").want(t, 125, "ambit: ", "ambit doctor")
		})
	}
}

// asAna runs a program as the guest's ordinary user.
func asAna(t *testing.T, program string, args ...string) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin", "HOME=/home/ana", "AMBIT_STATE_DIR=/home/ana/apparmor"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	return ran(t, cmd, &out, &complaints)
}
