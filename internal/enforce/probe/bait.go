package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
)

// bait is what lies on the host for a program that gets through.
type bait struct {
	dir     string
	targets Targets
	tcp     net.Listener
	unix    net.Listener
	process *exec.Cmd
	stop    context.CancelFunc
}

func newBait(ctx context.Context, self []string) (_ *bait, err error) {
	b := &bait{}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "ambit-doctor-"); err != nil {
		return nil, fmt.Errorf("lay out the bait: %w", err)
	}
	if b.dir, err = filepath.EvalSymlinks(b.dir); err != nil {
		return nil, err
	}
	token := rand.Text()
	b.targets = Targets{Secret: filepath.Join(b.dir, "secret"), Granted: filepath.Join(b.dir, "granted", "file"),
		Abstract: "@ambit-" + token, Token: token}
	if err = os.Mkdir(filepath.Join(b.dir, "granted"), 0o755); err != nil {
		return nil, err
	}
	for _, file := range []string{b.targets.Secret, b.targets.Granted} {
		if err = os.WriteFile(file, []byte(token), 0o644); err != nil {
			return nil, err
		}
	}
	var config net.ListenConfig
	if b.tcp, err = config.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("lay out the bait: %w", err)
	}
	b.targets.Address = b.tcp.Addr().String()
	if b.unix, err = config.Listen(ctx, "unix", b.targets.Abstract); err != nil {
		return nil, fmt.Errorf("lay out the bait: %w", err)
	}
	return b, b.start(ctx, self, token)
}

// start starts the process of the host that must stay hidden. It waits for the
// end of its input.
func (b *bait) start(ctx context.Context, self []string, token string) error {
	if len(self) == 0 {
		return errors.New("internal error: no program to start")
	}
	ctx, b.stop = context.WithCancel(ctx)
	argv, err := Targets{Set: setWait, Token: token}.argv(self[len(self)-1])
	if err != nil {
		return err
	}
	b.process = exec.CommandContext(ctx, self[0], append(self[1:len(self)-1:len(self)-1], argv...)...)
	if _, err := b.process.StdinPipe(); err != nil {
		return err
	}
	if err := b.process.Start(); err != nil {
		return fmt.Errorf("lay out the bait: %w", err)
	}
	return nil
}

// close takes everything away.
func (b *bait) close() {
	if b.stop != nil {
		b.stop()
	}
	if b.process != nil && b.process.Process != nil {
		_ = b.process.Wait() // killed
	}
	for _, l := range []net.Listener{b.tcp, b.unix} {
		if l != nil {
			_ = l.Close() // nothing was written
		}
	}
	if b.dir != "" {
		_ = os.RemoveAll(b.dir) // in a folder for temporary files
	}
}
